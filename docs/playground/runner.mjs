// Runs the component in a worker of its own each time, with a deadline.

import { byId } from "./dom.mjs";

/** What the build put into the page: datasets, examples and the pipelines' text. */
export const facts = JSON.parse(byId("facts").textContent);

/** Messages of a run that are kept. */
const MESSAGES = 100;

const script = URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" }));

/** Compiled modules by dataset: compiling takes longer than all else. */
const compiled = new Map();

function modules(dataset) {
  if (!compiled.has(dataset)) compiled.set(dataset, compile(dataset));
  return compiled.get(dataset);
}

async function compile(dataset) {
  const files = facts.datasets.find(({ name }) => name === dataset).modules;
  const pairs = Object.entries(files).map(async ([file, id]) => [file, await WebAssembly.compile(await unpack(byId(id).textContent))]);
  return Object.fromEntries(await Promise.all(pairs));
}

/** Bytes of a gzip file in base64. */
async function unpack(base64) {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/**
 * Maps payloads and gives what left the component: `documents` (text and what lies beside it), `messages`, and one of
 * `receipts` (with `took`, milliseconds in the component), `refused` (`{path, message}`), `trap` (its text), `late` and `stopped`.
 *
 * @param {string} dataset
 * @param {{settings: string, receivedAt: bigint, payloads: {feed: string, bytes: Uint8Array}[], finish: boolean}} request
 * @param {{deadline: number, kept: number, signal: AbortSignal}} limits milliseconds, bytes of documents that are kept
 */
export async function run(dataset, request, { deadline, kept, signal }) {
  const left = { documents: [], messages: [], bytes: 0, unkept: 0 };
  const worker = new Worker(script);
  let clock;
  try {
    const outcome = await new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => resolve({ stopped: true }));
      worker.addEventListener("error", ({ message }) => reject(new Error(message)));
      worker.addEventListener("message", ({ data: { part, message, ...outcome } }) => {
        if (part) take(left, part, kept);
        else if (message) left.messages.length < MESSAGES && left.messages.push(message);
        else resolve(outcome);
      });
      modules(dataset).then((modules) => {
        clock = setTimeout(() => resolve({ late: true }), deadline);
        worker.postMessage({ ...request, modules });
      }, reject);
    });
    return { ...left, ...outcome };
  } finally {
    clearTimeout(clock);
    worker.terminate();
  }
}

/** Cuts a part into documents; beyond what is kept they are only counted. */
function take(left, { ndjson, documents }, kept) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let at = 0;
  for (const { length, ...document } of documents) {
    left.bytes += length;
    // Without its line feed.
    if (left.bytes <= kept) left.documents.push({ ...document, text: decoder.decode(ndjson.subarray(at, at + length - 1)) });
    else left.unkept += 1;
    at += length;
  }
}
