// Runs the golden cases of folders and says which differ, in documents or in their receipt:
//
//   node golden.mjs ../../../testdata/alert ../../../testdata/event
//
// A folder has the name of its component.
// testdata/README.md of defenderbeat says what a case is.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { hex, load } from "./component.mjs";

/** When every record of a golden case was received: 2025-01-01T00:00:00Z. */
const RECEIVED_AT = 1_735_689_600_000n;

const text = (file) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);

/** What the component makes of a case's files: the documents' bytes, what lies beside them, and the receipts. */
function make(instantiate, files, settings, answers) {
  const parts = [];
  const documents = [];
  const component = instantiate({
    write(ndjson, facts) {
      parts.push(ndjson);
      documents.push(...facts);
    },
    find(kind, key) {
      return answers.find((answer) => answer.kind === kind && answer.key === key)?.fragment;
    },
    // Messages are not part of what is expected.
    report() {},
  });
  const [{ name: first }] = component.describe().feeds;
  const pipeline = component.Pipeline.open(settings);
  const receipts = files.map(({ bytes, feed = first }) => {
    const receipt = pipeline.push({ feed, receivedAt: RECEIVED_AT, payloads: [bytes] });
    // What was found in a push is known in the next.
    if (receipt.facts.length > 0) pipeline.learn(receipt.facts);
    return receipt;
  });
  // A case of one file is a stream that goes on; a folder is finished.
  if (files.some(({ feed }) => feed)) receipts.push(pipeline.finish());
  return { ndjson: Buffer.concat(parts), documents, receipts };
}

/** A position in 100 ns ticks as a time. */
function instant(ticks) {
  const second = new Date(Number(ticks / 10_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(ticks % 10_000_000n).padStart(7, "0")}Z`;
}

/** The receipt as `<case>.receipt.json` has it: what is zero or empty is left out, but for records and mapped. */
function summary(files, { documents, receipts }) {
  const total = (count) => receipts.reduce((sum, { tallies }) => sum + tallies.reduce((sum, tally) => sum + tally[count], 0), 0);
  const [records, mapped, held, dropped, rejected] = ["records", "mapped", "held", "dropped", "rejected"].map(total);
  const rejectsOf = ({ rejects }, at) => rejects.map((reject) => ({
    ...(files[at]?.feed && { file: files[at].name }),
    offset: Number(reject.offset),
    length: Number(reject.length),
    id: hex(reject),
    code: reject.code,
    ...(reject.path && { path: reject.path }),
    message: reject.message,
  }));
  const rejects = receipts.flatMap(rejectsOf);
  const drift = {};
  for (const { name, count } of receipts.flatMap(({ drift }) => drift)) drift[name] = (drift[name] ?? 0) + count;
  return {
    records,
    mapped,
    ...(held && { held }),
    ...(dropped && { dropped }),
    ...(rejected && { rejected }),
    documents: documents.map((document) =>
      document.position ? `${hex(document)} at ${instant(document.position)}` : hex(document),
    ),
    ...(rejects.length && { rejects }),
    ...(Object.keys(drift).length && { drift }),
  };
}

/** How documents differ from those expected, byte for byte. */
function difference(wanted, made) {
  if (wanted.equals(made)) return [];
  const [wantedLines, madeLines] = [wanted, made].map((bytes) => bytes.toString("latin1").split("\n"));
  return [`documents differ from line ${wantedLines.findIndex((line, at) => line !== madeLines[at]) + 1} on`];
}

/** The files of a case: one, or those of a folder in their order, each of the feed that its name ends with. */
function inputs(path) {
  if (existsSync(`${path}.ndjson`)) return [{ bytes: readFileSync(`${path}.ndjson`) }];
  return readdirSync(path)
    .filter((name) => /^\d+-/.test(name))
    .sort()
    .map((name) => ({ name, feed: name.replace(/^\d+-|\..*$/g, ""), bytes: readFileSync(join(path, name)) }));
}

function problems(instantiate, path) {
  const files = inputs(path);
  // What belongs to a case stands beside its file, or in its folder.
  const beside = existsSync(`${path}.ndjson`) ? (name) => `${path}.${name}` : (name) => join(path, name);
  const settings = text(beside("settings.json")) ?? "{}";
  const answers = JSON.parse(text(beside("lookups.json")) ?? "[]");
  const made = make(instantiate, files, settings, answers);
  const receipt = text(beside("receipt.json"));
  if (!receipt) return ["nothing is expected of it: `defenderbeat golden --bless` writes it"];
  return [
    ...difference(readFileSync(beside("expected.ndjson")), made.ndjson),
    ...(isDeepStrictEqual(summary(files, made), JSON.parse(receipt)) ? [] : ["the receipt differs"]),
  ];
}

/** The cases of a folder. */
function cases(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || /(?<!\.expected)\.ndjson$/.test(entry.name))
    .map((entry) => join(folder, entry.name.replace(/\.ndjson$/, "")))
    .sort();
}

const folders = process.argv.slice(2);
if (folders.length === 0) {
  console.error("usage: node golden.mjs FOLDER..");
  process.exit(2);
}
let passed = 0;
let failed = 0;
for (const folder of folders) {
  const instantiate = await load(basename(folder));
  for (const path of cases(folder)) {
    const found = problems(instantiate, path);
    if (found.length === 0) {
      passed += 1;
    } else {
      failed += 1;
      console.log(`FAILED ${path}: ${found.join("; ")}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
