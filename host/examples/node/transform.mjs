// Maps one payload from stdin to documents on stdout, one a line; the receipt's summary goes to stderr.
// Exit status: 0; 1 when it failed; 2 for wrong usage or settings; 3 when records were rejected.

import { readFileSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { Refused, Spent, Thread } from "./thread.mjs";

const usage = `usage: node transform.mjs [OPTIONS] < payload > documents
  --component NAME      alert (default), incident, event or vulnerability
  --feed NAME           one of the component's feeds; the first where it is not given
  --settings JSON       what the component is opened with
  --received-at MILLIS  when the records were received, since 1970; the present where it is not given
  --deadline SECONDS    what a call may take; 10`;

function refuse(message) {
  console.error(message);
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        component: { type: "string", default: "alert" },
        feed: { type: "string" },
        settings: { type: "string", default: "{}" },
        "received-at": { type: "string", default: String(Date.now()) },
        deadline: { type: "string", default: "10" },
      },
    });
    const deadline = Number(values.deadline) * 1000;
    if (!(deadline > 0)) throw new Error("--deadline takes a number of seconds");
    return { ...values, deadline, receivedAt: BigInt(values["received-at"]) };
  } catch (error) {
    return refuse(`${error.message}\n${usage}`);
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

/** Runs the payload through a pipeline; what a sync held leaves at its end. */
async function map(thread, { feed: wanted, settings, receivedAt }) {
  const { feeds } = await thread.describe();
  const feed = wanted ? feeds.find(({ name }) => name === wanted) : feeds[0];
  if (!feed) refuse(`there is no feed ${wanted}: ${feeds.map(({ name }) => name).join(", ")}\n${usage}`);
  await thread.open(settings);
  const receipt = await thread.push({ feed: feed.name, receivedAt, payloads: [readFileSync(0)] });
  return feed.state === "sync" ? [receipt, await thread.finish()] : [receipt];
}

const { component, deadline, ...opening } = options();
const thread = new Thread(component, { write: print, deadline });
try {
  const receipts = await map(thread, opening);
  for (const { offset, length, code, message } of receipts.flatMap(({ rejects }) => rejects)) {
    console.error(`rejected: ${length} bytes at ${offset}: ${code}: ${message}`);
  }
  for (const { name, count } of receipts.flatMap(({ drift }) => drift)) console.error(`unknown: ${name} (${count})`);
  const total = (count) => receipts.reduce((sum, { tallies }) => sum + tallies.reduce((sum, tally) => sum + tally[count], 0), 0);
  console.error(
    `${total("records")} records: ${total("mapped")} mapped, ${total("held")} held, ${total("dropped")} dropped, ` +
      `${total("rejected")} rejected; ${total("documents")} documents`,
  );
  process.exitCode = total("rejected") > 0 ? 3 : 0;
} catch (error) {
  if (error instanceof Refused) refuse(error.message);
  if (!(error instanceof Spent)) throw error;
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await thread.close();
}
