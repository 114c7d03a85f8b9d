// Runs the golden cases of a folder and says which differ, in documents or in their receipt:
//
//   node golden.mjs ../../../testdata/alert
//
// testdata/README.md of defenderbeat says what a case is.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { hex, load } from "./component.mjs";

/** When every record of a golden case was received: 2025-01-01T00:00:00Z. */
const RECEIVED_AT = 1_735_689_600_000n;

const text = (file) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);

/** What the component makes of a case: the documents' bytes, what lies beside them, and the receipt. */
function make(input, settings, answers) {
  const parts = [];
  const documents = [];
  const component = load({
    write(ndjson, facts) {
      parts.push(ndjson);
      documents.push(...facts);
    },
    find(kind, key) {
      const answer = answers.find((answer) => answer.kind === kind && answer.key === key);
      return answer && JSON.stringify(answer.fragment);
    },
  });
  const [{ name: feed }] = component.describe().feeds;
  const receipt = component.Pipeline.open(settings).push({ feed, receivedAt: RECEIVED_AT, payloads: [input] });
  return { ndjson: Buffer.concat(parts), documents, receipt };
}

/** A position in 100 ns ticks as a time. */
function instant(ticks) {
  const second = new Date(Number(ticks / 10_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(ticks % 10_000_000n).padStart(7, "0")}Z`;
}

/** The receipt as `<case>.receipt.json` has it: what is zero or empty is left out, but for records and mapped. */
function summary({ documents, receipt }) {
  const [{ records, mapped, held, dropped, rejected }] = receipt.tallies;
  const rejects = receipt.rejects.map((reject) => ({
    offset: Number(reject.offset),
    length: Number(reject.length),
    id: hex(reject),
    code: reject.code,
    ...(reject.path && { path: reject.path }),
    message: reject.message,
  }));
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
    ...(receipt.drift.length && { drift: Object.fromEntries(receipt.drift.map(({ name, count }) => [name, count])) }),
  };
}

/** How documents differ from those expected, byte for byte. */
function difference(wanted, made) {
  if (wanted.equals(made)) return [];
  const [wantedLines, madeLines] = [wanted, made].map((bytes) => bytes.toString("latin1").split("\n"));
  return [`documents differ from line ${wantedLines.findIndex((line, at) => line !== madeLines[at]) + 1} on`];
}

function problems(path) {
  const settings = text(`${path}.settings.json`) ?? "{}";
  const answers = JSON.parse(text(`${path}.lookups.json`) ?? "[]");
  const made = make(readFileSync(`${path}.ndjson`), settings, answers);
  const receipt = text(`${path}.receipt.json`);
  if (!receipt) return ["nothing is expected of it: `defenderbeat golden --bless` writes it"];
  return [
    ...difference(readFileSync(`${path}.expected.ndjson`), made.ndjson),
    ...(isDeepStrictEqual(summary(made), JSON.parse(receipt)) ? [] : ["the receipt differs"]),
  ];
}

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node golden.mjs FOLDER");
  process.exit(2);
}
const cases = readdirSync(folder)
  .filter((name) => name.endsWith(".ndjson") && !name.endsWith(".expected.ndjson"))
  .map((name) => name.slice(0, -".ndjson".length))
  .sort();
let failed = 0;
for (const name of cases) {
  const found = problems(join(folder, name));
  if (found.length === 0) continue;
  failed += 1;
  console.log(`FAILED ${name}: ${found.join("; ")}`);
}
console.log(`${cases.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && cases.length > 0 ? 0 : 1;
