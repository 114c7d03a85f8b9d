// A component, and what a host gives it.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

// Pages of 64 KiB that an instance may have: 512 MiB, which holds the largest record several times over. It counts for all of
// the process, and before the first instance is made.
setFlagsFromString(`--wasm-max-mem-pages=${(512 << 20) / (64 << 10)}`);

/**
 * Takes what `npm run transpile` made of `<name>.wasm`, and gives a function that makes an instance of it: `describe()` and
 * `Pipeline.open(settings)`, as wit/pipeline.wit has them, 64-bit integers as BigInt. A refused setting is thrown with
 * `{path, message}` as its `payload`. A trap is a WebAssembly.RuntimeError out of any call, or a RangeError where it was the
 * stack; the instance is spent then, and a new one gives the same documents for the same input.
 *
 * The function takes what the component imports: `write(ndjson, documents)` takes a part, its bytes and one entry a document;
 * `find(kind, key)` answers from the host's own data, or with undefined; `report(level, message)` takes a message for the
 * operator.
 *
 * @param {string} name `alert`, `incident`, `event` or `vulnerability`
 */
export async function load(name) {
  const { instantiate } = await import(`./component/${name}.js`);
  // Compiling takes longer than all else, so each module is compiled once.
  const modules = new Map();
  const module = (file) => {
    if (!modules.has(file)) {
      modules.set(file, new WebAssembly.Module(readFileSync(new URL(`./component/${file}`, import.meta.url))));
    }
    return modules.get(file);
  };
  return ({ write, find = () => undefined, report = log }) =>
    instantiate(module, {
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
