// The page in a real browser, against what is expected in testdata:
//
//   PLAYGROUND=target/playground/page/index.html node --test docs/playground/test/
//
// The page under test also has the component `hostile`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const page = resolve(process.env.PLAYGROUND);
const testdata = (file) => readFileSync(join(import.meta.dirname, "../../../testdata", file), "utf8");

const server = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(readFileSync(page)));
let browser;

before(async () => {
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server.close();
});

/** Opens the page; whatever it complains of fails the test. */
async function open(t, url = `http://127.0.0.1:${server.address().port}/`) {
  const opened = await browser.open(url);
  t.after(() => assert.deepEqual(opened.complaints, []));
  return opened;
}

/** Fills in the form as a user does, maps, and waits for the result. */
function map(page, given) {
  return page.run(async ({ dataset, shape = 0, payloads, settings = "", deadline = 60, explain = true }) => {
    const set = (element, value, kind) => {
      element.value = value;
      element.dispatchEvent(new Event(kind, { bubbles: true }));
    };
    const byId = (id) => document.getElementById(id);
    document.querySelector(`input[value=${dataset}]`).click();
    set(byId("shape"), shape, "change");
    const texts = [...document.querySelectorAll(".payload")];
    for (const [at, payload] of payloads.entries()) set(texts[at], payload, "input");
    set(byId("settings-text"), settings, "input");
    byId("received-at").value = "2025-01-01T00:00:00.000Z";
    byId("deadline").value = deadline;
    byId("explain").checked = explain;
    byId("map").click();
    while (document.body.dataset.state !== "done") await new Promise((resolve) => setTimeout(resolve, 10));
  }, given);
}

/** What the page saves as a file. */
function saved(page) {
  return page.run(async () => {
    let blob;
    URL.createObjectURL = (given) => ((blob = given), "blob:kept");
    HTMLAnchorElement.prototype.click = () => {};
    [...document.querySelectorAll("button")].find(({ textContent }) => textContent.startsWith("Save")).click();
    return blob.text();
  });
}

const text = (page, selector) => page.run((selector) => document.querySelector(selector)?.innerText, selector);

/** Identities as the receipt of a case has them. */
function ids(file) {
  return JSON.parse(testdata(file)).documents.map((document) => document.slice(0, 32));
}

/** Opens all documents and gives the identities that they show. */
const shownIds = (page) =>
  page.run(async () => {
    for (const summary of document.querySelectorAll(".document:not([open]) > summary")) summary.click();
    while (document.querySelector(".document > summary:only-child")) await new Promise((resolve) => setTimeout(resolve, 10));
    return [...document.querySelectorAll(".document dl > :first-child code")].map((id) => id.textContent);
  });

for (const [dataset, name] of [
  ["alert", "process-tree"],
  ["incident", "a-document-for-each-alert"],
  ["event", "device-events"],
  ["vulnerability", "export"],
]) {
  test(`${dataset}/${name} gives the documents that are expected`, async (t) => {
    const page = await open(t);
    await map(page, { dataset, payloads: [testdata(`${dataset}/${name}.ndjson`)] });
    assert.equal(await saved(page), testdata(`${dataset}/${name}.expected.ndjson`));
    assert.deepEqual(await shownIds(page), ids(`${dataset}/${name}.receipt.json`));
  });
}

test("machines, vulnerabilities and products are joined, and joined documents are explained", async (t) => {
  const page = await open(t);
  const files = ["01-machines", "02-vulnerabilities", "03-products"];
  const payloads = files.map((file) => testdata(`vulnerability/held-twice/${file}.json`));
  const settings = testdata("vulnerability/held-twice/settings.json");
  await map(page, { dataset: "vulnerability", shape: 1, payloads, settings });
  assert.equal(await saved(page), testdata("vulnerability/held-twice/expected.ndjson"));
  assert.match(await text(page, ".document[open] .line"), /Fields \(\d+\)/);
});

test("it works from the disk, without any server", async (t) => {
  const page = await open(t, pathToFileURL(resolve(process.env.PLAYGROUND)).href);
  await map(page, { dataset: "alert", payloads: [testdata("alert/severities.ndjson")] });
  assert.equal(await saved(page), testdata("alert/severities.expected.ndjson"));
});

test("rejects are told with their offsets and marked in the payload", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "alert", payloads: ['{"id":"a-1","title":"ö"}\nthis is not JSON\n'] });
  assert.match(await text(page, "#summary"), /^2 records: 1 mapped, 1 rejected; 1 document in /);
  assert.match(await text(page, "#rejects li"), /16 bytes at 26 of alerts: malformed: not a JSON object/);
  assert.deepEqual(await page.run(() => [...document.querySelectorAll("mark")].map(({ textContent }) => textContent)), ["this is not JSON"]);
  const selected = await page.run(() => {
    document.querySelector("#rejects button").click();
    const { value, selectionStart, selectionEnd } = document.activeElement;
    return value.slice(selectionStart, selectionEnd);
  });
  assert.equal(selected, "this is not JSON");
});

test("names that the mapping does not know are told", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "alert", payloads: ['{"id":"a-1","unheardOf":1}'] });
  assert.match(await page.run(() => document.querySelector("#drift").textContent), /unheardOf1/);
});

test("a setting that is refused is told with its path", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "alert", payloads: ["{}"], settings: '{"tag":[]}' });
  assert.match(await text(page, "#problem"), /Settings refused\s+At \$\.tag: unknown field/);
  assert.equal(await page.run(() => document.getElementById("settings-text").getAttribute("aria-invalid")), "true");
});

test("a switch is a setting", async (t) => {
  const page = await open(t);
  const set = await page.run(() => {
    document.querySelector("#switches input").click();
    return JSON.parse(document.getElementById("settings-text").value);
  });
  assert.deepEqual(set, { preserve_original_event: true });
});

test("a field that is chosen tells its row, by mouse and by keyboard", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "alert", payloads: ['{"id":"a-1","severity":"high"}'] });
  await page.run(() => document.querySelector('[data-path="event.severity"] > .row').click());
  assert.match(await text(page, ".card"), /^event\.severity\s+made of severity by lookup\s+pipelines\/alert\.yml:\d+\s+\{ from: severity, as: lookup,/);
  await page.press("ArrowUp");
  const chosen = await page.run(() => document.querySelector("[aria-selected=true]").dataset.path);
  assert.notEqual(chosen, "event.severity");
  assert.ok((await text(page, ".card")).startsWith(chosen));
  await page.press("Home");
  assert.match(await text(page, ".card"), /^@timestamp/);
});

test("columns that nothing was made of are listed", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "alert", payloads: ['{"id":"a-1","assignedTo":null}'] });
  const table = await page.run(() => {
    [...document.querySelectorAll(".document button")].find(({ textContent }) => textContent.startsWith("Not used")).click();
    return document.querySelector("table").innerText;
  });
  assert.match(table, /assignedTo\s+null\s+empty: null/);
});

test("large numbers are shown as they are", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "alert", payloads: ['{"id":"a-1","unheardOf":12345678901234567890}'] });
  assert.match(await text(page, ".tree"), /12345678901234567890/);
});

test("what takes too long is ended, and the page goes on", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "hostile", payloads: ['{"do":"spin"}'], deadline: 1 });
  assert.match(await text(page, "#problem"), /Ended at the deadline\s+Mapping took longer than 1 s/);
  await map(page, { dataset: "hostile", payloads: ['{"do":"work","n":1}'], explain: false });
  assert.match(await text(page, "#summary"), /^1 record: 1 mapped/);
});

test("a trap is shown with what the component said", async (t) => {
  const page = await open(t);
  await map(page, { dataset: "hostile", payloads: ['{"do":"panic","text":"what it was about"}'] });
  assert.match(await text(page, "#problem"), /The component trapped[\s\S]*what it was about/);
});

/** Drops a file of these bytes, or of so many blanks, onto the payload. */
function drop(page, bytes) {
  return page.run(async (bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([typeof bytes === "number" ? new Uint8Array(bytes).fill(32) : new Uint8Array(bytes)], "dropped.json"));
    document.querySelector(".input").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable: true }));
    while (!document.querySelector(".input .note").textContent) await new Promise((resolve) => setTimeout(resolve, 10));
  }, bytes);
}

test("a file is taken byte for byte", async (t) => {
  const page = await open(t);
  await drop(page, [...Buffer.from(testdata("alert/bom-and-crlf.ndjson"))]);
  assert.match(await text(page, ".input .note"), /a text field would change its bytes/);
  await map(page, { dataset: "alert", payloads: [] });
  assert.equal(await saved(page), testdata("alert/bom-and-crlf.expected.ndjson"));
});

test("a payload that is too long is refused", async (t) => {
  const page = await open(t);
  await drop(page, (16 << 20) + 1);
  await page.run(() => document.getElementById("map").click());
  assert.match(await text(page, "#problem"), /16,777,217 bytes; the page takes 16 MiB/);
});

test("the page may not connect to anything", async () => {
  const page = await browser.open(`http://127.0.0.1:${server.address().port}/`);
  const blocked = await page.run(async () => {
    const reached = (promise) => promise.then(() => "reached", () => "blocked");
    const worker = new Worker(URL.createObjectURL(new Blob(["fetch('/').then(() => postMessage('reached'), () => postMessage('blocked'))"])));
    const inWorker = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
    return [await reached(fetch(location.origin)), await inWorker];
  });
  assert.deepEqual(blocked, ["blocked", "blocked"]);
});
