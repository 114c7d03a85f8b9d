// Measures mapping: node bench.mjs [--component NAME] FEED FILE
//
// The file is NDJSON. It is pushed in payloads of about 1 MiB, once for warming up and once for the clock, which counts pushes
// only. Prints one line of JSON.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { load } from "./component.mjs";

const PAYLOAD = 1 << 20;

/** The file in payloads of about 1 MiB, cut at ends of lines. */
function* payloads(bytes) {
  for (let start = 0; start < bytes.length; ) {
    const line = bytes.indexOf(10, start + PAYLOAD);
    const end = line < 0 ? bytes.length : line + 1;
    yield bytes.subarray(start, end);
    start = end;
  }
}

/** One pass over the file: what left the pipeline, and how long it took. */
function pass(pipeline, left, feed, bytes) {
  Object.assign(left, { documents: 0, bytes: 0 });
  let seconds = 0;
  for (const payload of payloads(bytes)) {
    const began = performance.now();
    const { facts } = pipeline.push({ feed, receivedAt: BigInt(Date.now()), payloads: [payload] });
    seconds += (performance.now() - began) / 1000;
    if (facts.length > 0) pipeline.learn(facts);
  }
  return { ...left, seconds };
}

const { values, positionals } = parseArgs({
  options: { component: { type: "string", default: "alert" } },
  allowPositionals: true,
});
const [feed, file] = positionals;
if (!file) {
  console.error("usage: node bench.mjs [--component NAME] FEED FILE");
  process.exit(2);
}
const left = {};
const instantiate = await load(values.component);
const { Pipeline } = instantiate({
  write(ndjson, documents) {
    left.documents += documents.length;
    left.bytes += ndjson.length;
  },
});
const pipeline = Pipeline.open("{}");
const bytes = readFileSync(file);
pass(pipeline, left, feed, bytes);
console.log(JSON.stringify(pass(pipeline, left, feed, bytes)));
