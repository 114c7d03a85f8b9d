// Maps one payload from stdin to documents on stdout, one a line; the receipt's summary goes to stderr.
// Exit status: 0; 1 when it failed; 2 for wrong usage or settings; 3 when records were rejected.

import { readFileSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { load } from "./component.mjs";

const usage = "usage: node transform.mjs [--settings JSON] [--received-at MILLIS] [--feed NAME] < payload > documents";

function refuse(message) {
  console.error(message);
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        settings: { type: "string", default: "{}" },
        "received-at": { type: "string", default: String(Date.now()) },
        feed: { type: "string", default: "alerts" },
      },
    });
    return { ...values, receivedAt: BigInt(values["received-at"]) };
  } catch (error) {
    return refuse(`${error.message}\n${usage}`);
  }
}

function open(component, settings) {
  try {
    return component.Pipeline.open(settings);
  } catch (error) {
    // A settings-error; all else is a fault of its own.
    if (!error.payload) throw error;
    return refuse(`settings refused at ${error.payload.path}: ${error.payload.message}`);
  }
}

/** Writes all of it: one write to a pipe may take less. */
function print(bytes) {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      // Whoever reads has enough.
      if (error.code === "EPIPE") process.exit(0);
      // The pipe is full and does not wait.
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

const { settings, feed, receivedAt } = options();
const component = load({ write: print });
if (!component.describe().feeds.some(({ name }) => name === feed)) refuse(`there is no feed ${feed}\n${usage}`);
const pipeline = open(component, settings);
const receipt = pipeline.push({ feed, receivedAt, payloads: [readFileSync(0)] });
const [tally] = receipt.tallies;
for (const { offset, length, code, message } of receipt.rejects) {
  console.error(`rejected: ${length} bytes at ${offset}: ${code}: ${message}`);
}
for (const { name, count } of receipt.drift) console.error(`unknown: ${name} (${count})`);
console.error(
  `${tally.records} records: ${tally.mapped} mapped, ${tally.dropped} dropped, ${tally.rejected} rejected; ` +
    `${tally.documents} documents`,
);
process.exitCode = tally.rejected > 0 ? 3 : 0;
