// A pipeline in a thread of its own: the host goes on meanwhile, and a call that takes too long is ended with its thread, which
// is the only way to end it. Lookups are answered with none: a host that has answers gives them in `serve`, where they are asked.

import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { load } from "./component.mjs";

/** Why there is no result: `path` and `message` of a refused setting. */
export class Refused extends Error {
  constructor({ path, message }) {
    super(`settings refused at ${path}: ${message}`);
  }
}

/** The component trapped or took too long: the thread is gone, and documents of the call that had left already may come again. */
export class Spent extends Error {}

export class Thread {
  #worker;
  #deadline;
  #ready;
  #call;

  /**
   * @param {string} name of the component
   * @param {object} host
   * @param {(ndjson: Uint8Array, documents: object[]) => void} host.write takes parts, in their order
   * @param {number} [host.deadline] milliseconds that a call may take
   */
  constructor(name, { write, deadline = 10_000 }) {
    this.#deadline = deadline;
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { name } });
    // Compiling and instantiating are no part of a call.
    this.#ready = new Promise((resolve, reject) => {
      this.#worker.once("message", resolve);
      this.#worker.once("error", reject);
    });
    this.#worker.on("message", ({ ready, part, result, refused, trap }) => {
      if (ready) return;
      if (part) write(...part);
      else if (refused) this.#call.reject(new Refused(refused));
      else if (trap) this.#end(`the component trapped: ${trap}`);
      else this.#call.resolve(result);
    });
    this.#worker.on("error", (error) => this.#call?.reject(error));
  }

  /** What the component is. */
  describe() {
    return this.#run("describe");
  }

  /** Opens the pipeline of the other calls. */
  open(settings) {
    return this.#run("open", settings);
  }

  push(batch) {
    return this.#run("push", batch);
  }

  finish() {
    return this.#run("finish");
  }

  learn(facts) {
    return this.#run("learn", facts);
  }

  facts() {
    return this.#run("facts");
  }

  /** Ends the thread. */
  close() {
    return this.#worker.terminate();
  }

  /** One call at a time: the next begins when the one before has its result. */
  async #run(method, argument) {
    await this.#ready;
    const result = new Promise((resolve, reject) => {
      this.#call = { resolve, reject };
    });
    const clock = setTimeout(() => this.#end(`${method} took longer than ${this.#deadline / 1000} s`), this.#deadline);
    this.#worker.postMessage({ method, argument });
    try {
      return await result;
    } finally {
      clearTimeout(clock);
    }
  }

  #end(cause) {
    this.close();
    this.#call.reject(new Spent(cause));
  }
}

/** The other side: answers calls with what the component gives. */
async function serve({ name }) {
  const instantiate = await load(name);
  const write = (ndjson, documents) => parentPort.postMessage({ part: [ndjson, documents] }, [ndjson.buffer]);
  const { describe, Pipeline } = instantiate({ write });
  let pipeline;
  const calls = {
    describe,
    open(settings) {
      pipeline = Pipeline.open(settings);
    },
    push: (batch) => pipeline.push(batch),
    finish: () => pipeline.finish(),
    learn: (facts) => pipeline.learn(facts),
    facts: () => pipeline.facts(),
  };
  parentPort.postMessage({ ready: true });
  parentPort.on("message", ({ method, argument }) => {
    try {
      parentPort.postMessage({ result: calls[method](argument) });
    } catch (error) {
      // A settings-error; all else is a trap.
      parentPort.postMessage(error.payload ? { refused: error.payload } : { trap: error.message });
    }
  });
}

if (!isMainThread) await serve(workerData);
