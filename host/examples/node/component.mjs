// The alert component, and what a host gives it.

import { readFileSync } from "node:fs";
// Made by `npm run transpile`.
import { instantiate } from "./component/alert.js";

// Compiling the module takes longer than all else, so each is compiled once.
const modules = new Map();

function module(name) {
  if (!modules.has(name)) {
    modules.set(name, new WebAssembly.Module(readFileSync(new URL(`./component/${name}`, import.meta.url))));
  }
  return modules.get(name);
}

/**
 * Gives a new instance: `describe()` and `Pipeline.open(settings)`, as wit/pipeline.wit has them. After a trap, which
 * is a WebAssembly.RuntimeError out of any call, an instance is spent.
 *
 * @param {object} host what the component imports
 * @param {(ndjson: Uint8Array, documents: object[]) => void} host.write takes a part: documents, one a line
 * @param {(kind: string, key: string) => string | undefined} [host.find] answers from the host's own data
 * @param {(level: string, message: string) => void} [host.report] takes a message for the operator
 */
export function load({ write, find = () => undefined, report = log }) {
  return instantiate(module, {
    "defenderbeat:pipeline/diagnostics": { report },
    "defenderbeat:pipeline/lookup": { find },
    "defenderbeat:pipeline/sink": { write },
  }).transformer;
}

function log(level, message) {
  console.error(`${level}: ${message}`);
}

/** Two halves of an id as 32 hexadecimal digits. */
export function hex({ idHigh, idLow }) {
  return ((idHigh << 64n) | idLow).toString(16).padStart(32, "0");
}
