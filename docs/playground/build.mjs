// Puts the playground into one page:
//
//   node build.mjs REPOSITORY OUT COMPONENT.wasm..
//
// REPOSITORY has testdata and pipelines; OUT is the folder that index.html is written to. The page needs no other file: it works from a
// file server, and from the disk, where browsers let no page load modules, workers or components.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { transpile } from "@bytecodealliance/jco-transpile";
import { rolldown } from "rolldown";

/** Cases of testdata that are examples, folders for a sync. */
const EXAMPLES = {
  alert: ["process-tree", "email", "cloud", "all-evidence-types", "unknown-properties", "malformed-lines", "site-rows", "processors"],
  incident: ["a-document-for-each-alert", "all-properties", "without-alerts", "malformed"],
  event: ["device-events", "logons", "network-actions", "mail-threats", "process-encoded-powershell", "columns-unknown", "malformed-lines"],
  vulnerability: ["correlated", "export", "changes", "held-twice", "unknown-machine", "versions-and-updates"],
};

const [repository, out, ...components] = process.argv.slice(2);
if (components.length === 0) {
  console.error("usage: node build.mjs REPOSITORY OUT COMPONENT.wasm..");
  process.exit(2);
}
const here = import.meta.dirname;
const source = (name) => readFileSync(join(here, name), "utf8");

/** What jco makes of a component: JavaScript, and modules by name. */
async function parts(file) {
  const options = { name: "component", instantiation: "sync", noComponentErrorWrapping: false, emitTypescriptDeclarations: false };
  const { files } = await transpile(file, options);
  const entries = Object.entries(files);
  return {
    script: Buffer.from(files["component.js"]).toString(),
    modules: Object.fromEntries(entries.filter(([name]) => name.endsWith(".wasm"))),
  };
}

/** What a component is: asked of itself, with imports that nobody calls. */
async function describe({ script, modules }) {
  const { instantiate } = await import(`data:text/javascript;base64,${Buffer.from(script).toString("base64")}`);
  const none = { report() {}, find() {}, write() {} };
  const imports = Object.fromEntries(["diagnostics", "lookup", "sink"].map((name) => [`defenderbeat:pipeline/${name}`, none]));
  return instantiate((name) => new WebAssembly.Module(modules[name]), imports).transformer.describe();
}

/** One script of a module and what it imports; `component` is what jco made. */
async function bundle(entry, format, component) {
  const plugin = {
    name: "component",
    resolveId: (id) => (id === "component" ? id : undefined),
    load: (id) => (id === "component" ? component : undefined),
  };
  const build = await rolldown({ input: join(here, entry), plugins: [plugin], logLevel: "silent" });
  const { output } = await build.generate({ format, minify: true });
  return output[0].code;
}

/** Text that may stand in a script element. */
const inScript = (text) => text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");

const title = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("-", " ");

const readIfThere = (file) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);

/** A case as an example. */
function example(dataset, name, [{ name: first }]) {
  const path = join(repository, "testdata", dataset, name);
  const isFolder = existsSync(path);
  const payloads = isFolder
    ? readdirSync(path)
        .filter((file) => /^\d+-/.test(file))
        .sort()
        .map((file) => ({ feed: file.replace(/^\d+-|\..*$/g, ""), text: readFileSync(join(path, file), "utf8") }))
    : [{ feed: first, text: readFileSync(`${path}.ndjson`, "utf8") }];
  const settings = readIfThere(isFolder ? join(path, "settings.json") : `${path}.settings.json`);
  return { dataset, label: title(name), payloads, settings: JSON.parse(settings ?? "{}") };
}

/** Lines of each file of rows. */
function pipelines() {
  const folder = join(repository, "pipelines");
  const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(".yml") && !file.startsWith("ecs"));
  return Object.fromEntries(files.sort().map((file) => [file.replaceAll("\\", "/"), readFileSync(join(folder, file), "utf8").split("\n")]));
}

const blocks = [];
/** Puts bytes into the page and gives the id of their place. */
function embed(id, bytes) {
  blocks.push(`<script type="application/gzip" id="${id}">${gzipSync(bytes, { level: 9 }).toString("base64")}</script>`);
  return id;
}

const scripts = new Set();
const datasets = [];
const examples = [];
for (const file of components) {
  const made = await parts(file);
  scripts.add(made.script);
  const { name, version, ecsVersion, tables, feeds, routes } = await describe(made);
  const modules = Object.fromEntries(Object.entries(made.modules).map(([module, bytes]) => [module, embed(`${name}/${module}`, bytes)]));
  datasets.push({ name, version, ecsVersion, tables, feeds, routes, modules });
  examples.push(...(EXAMPLES[name] ?? []).map((each) => example(name, each, feeds)));
}
// One contract gives one script, whatever is in a component; so the page has it once.
if (scripts.size > 1) throw new Error(`${components.map((file) => basename(file)).join(", ")} are not of one contract`);

const [component] = scripts;
const facts = JSON.stringify({ datasets, examples, pipelines: pipelines() }).replaceAll("<", "\\u003c");
const worker = inScript(await bundle("worker.mjs", "iife", component));
const script = inScript(await bundle("playground.mjs", "esm"));
const style = source("playground.css") + source("result.css");
const digest = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const fill = {
  // Workers made of a blob are under the policy of the page that made them.
  policy: [
    "default-src 'none'",
    `script-src ${digest(script)} 'wasm-unsafe-eval'`,
    `style-src ${digest(style)}`,
    "worker-src blob:",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; "),
  style,
  data: [
    `<script type="application/json" id="facts">${facts}</script>`,
    `<script type="text/plain" id="worker">${worker}</script>`,
    ...blocks,
  ].join("\n    "),
  script,
};
const page = source("index.html").replace(/\{\{(\w+)\}\}/g, (_, name) => fill[name]);
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "index.html"), page);
console.log(`${join(out, "index.html")}: ${(Buffer.byteLength(page) / (1 << 20)).toFixed(1)} MiB`);
