// A headless Chromium, by its debugging protocol over a pipe.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Starts `$CHROMIUM`, or `chromium`, with a profile of its own. */
export async function launch() {
  const profile = mkdtempSync(join(tmpdir(), "playground-"));
  // Its sandbox does not run for root. Memory files lie in /tmp, as containers have little in /dev/shm.
  const switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"];
  const browser = spawn(process.env.CHROMIUM ?? "chromium", [...switches, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const exited = new Promise((resolve) => browser.on("close", resolve));
  const protocol = new Protocol(browser);
  return {
    async open(url) {
      const { targetId } = await protocol.call("Target.createTarget", { url: "about:blank" });
      const { sessionId } = await protocol.call("Target.attachToTarget", { targetId, flatten: true });
      return Page.open(protocol, sessionId, url);
    },
    async close() {
      await protocol.call("Browser.close");
      await exited;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Calls and events: JSON messages, each ended by a zero byte. */
class Protocol {
  #pipe;
  #last = 0;
  #calls = new Map();
  #received = "";
  /** Takes `{method, params, sessionId}`. */
  listeners = new Set();

  constructor(browser) {
    this.#pipe = browser.stdio[3];
    browser.stdio[4].setEncoding("utf8").on("data", (text) => this.#receive(text));
    browser.on("error", (error) => this.#fail(error));
    browser.on("close", () => this.#fail(new Error("the browser ended")));
    this.#pipe.on("error", (error) => this.#fail(error));
  }

  call(method, params = {}, sessionId) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, method });
      this.#pipe.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  #receive(text) {
    const messages = (this.#received + text).split("\0");
    this.#received = messages.pop();
    for (const message of messages.map((each) => JSON.parse(each))) {
      const call = this.#calls.get(message.id);
      this.#calls.delete(message.id);
      if (!call) for (const listener of this.listeners) listener(message);
      else if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
      else call.resolve(message.result);
    }
  }

  #fail(error) {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

class Page {
  /** What went wrong in the page, and what it was forbidden. */
  complaints = [];

  static async open(protocol, session, url) {
    const page = new Page();
    page.call = (method, params) => protocol.call(method, params, session);
    let loaded;
    const isLoaded = new Promise((resolve) => (loaded = resolve));
    protocol.listeners.add(({ method, params, sessionId }) => {
      if (sessionId !== session) return;
      if (method === "Page.loadEventFired") loaded();
      if (method === "Runtime.exceptionThrown") page.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      if (method === "Log.entryAdded" && params.entry.level === "error") page.complaints.push(params.entry.text);
    });
    for (const domain of ["Page", "Runtime", "Log"]) await page.call(`${domain}.enable`);
    await page.call("Page.navigate", { url });
    await isLoaded;
    return page;
  }

  /** Runs a function in the page and gives what it gives, as JSON. */
  async run(action, ...given) {
    const expression = `(${action})(...${JSON.stringify(given)})`;
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Presses a key on what has the focus. */
  async press(key) {
    for (const type of ["keyDown", "keyUp"]) await this.call("Input.dispatchKeyEvent", { type, key, code: key });
  }
}
