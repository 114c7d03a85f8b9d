// What the component says of a document (docs/explain.md): where each field comes from.

import { code, element } from "./dom.mjs";
import { member } from "./json.mjs";

/** Sources that are named of one row; lists are gathered from many. */
const NAMED = 6;

const text = (node) => (node ? JSON.parse(node.text) : undefined);

export class Explanation {
  #byField;
  #pipelines;

  /**
   * @param {object} node the explanation as JSON
   * @param {Record<string, string[]>} pipelines lines of each file of rows
   */
  constructor(node, pipelines) {
    this.#pipelines = pipelines;
    /** Field, value and origins, in the document's order. */
    this.fields = member(node, "fields").items.map((item) => ({
      field: text(member(item, "field")),
      value: member(item, "value"),
      origins: member(item, "origins").items.map(origin),
    }));
    /** Columns that nothing was made of, each with `value` and `why`. */
    this.columns = member(node, "columns").items.map((item) => ({
      column: text(member(item, "column")),
      value: member(item, "value"),
      why: text(member(item, "why")),
    }));
    this.#byField = new Map(this.fields.map((field) => [field.field, field]));
  }

  /** What is told of a field: of itself, or of what it is part of where one row makes that as a whole. */
  of(path) {
    for (let at = path; at; at = at.slice(0, Math.max(0, at.lastIndexOf("."), at.lastIndexOf("[")))) {
      if (this.#byField.has(at)) return this.#byField.get(at);
    }
    return undefined;
  }

  /** Cells of a table: made of, row. */
  cells(origins) {
    const rows = byRow(origins);
    const lines = (make) => element("div", {}, ...rows.map((row) => element("div", {}, ...make(row))));
    return [lines((row) => madeOf(row)), lines((row) => [element("code", {}, place(row))])];
  }

  /** All that is told of a field, for reading. */
  card(path) {
    const found = this.of(path);
    if (!found) return [element("h3", {}, path), element("p", { className: "note" }, "Choose one of the fields in it.")];
    return [element("h3", {}, found.field), ...byRow(found.origins).map((row) => this.#section(row))];
  }

  #section(row) {
    const written = row.file && this.#written(row);
    return element(
      "section",
      {},
      element("p", {}, "made of ", ...madeOf(row)),
      ...(row.file || row.setting ? [element("p", {}, element("code", { className: "place" }, place(row)))] : []),
      ...(written ? [element("pre", {}, written)] : []),
    );
  }

  /** The row as its file has it: its line, and those that are indented deeper. */
  #written({ file, line }) {
    const [first, ...others] = this.#pipelines[file]?.slice(line - 1) ?? [""];
    const indent = (text) => text.search(/\S/);
    const end = others.findIndex((other) => indent(other) <= indent(first));
    const deeper = first.trim().startsWith("- {") ? [] : others.slice(0, end < 0 ? others.length : end);
    return [first, ...deeper].map((each) => each.slice(indent(first)).replace(/^- |^ {2}/, "")).join("\n");
  }
}

function origin(node) {
  return {
    by: text(member(node, "by")),
    file: text(member(node, "file")),
    line: member(node, "line") && Number(member(node, "line").text),
    from: (member(node, "from")?.items ?? []).map(text),
    setting: text(member(node, "setting")),
  };
}

/** Origins, those of one row together: a list is gathered from many items by one row. */
function byRow(origins) {
  const rows = new Map();
  for (const { from, ...row } of origins) {
    const key = JSON.stringify(row);
    if (!rows.has(key)) rows.set(key, { ...row, from: new Set() });
    for (const path of from) rows.get(key).from.add(path);
  }
  return [...rows.values()];
}

/** Where it is written that it be made. */
function place({ file, line, setting }) {
  if (file) return `pipelines/${file}:${line}`;
  return setting ?? "";
}

function madeOf({ by, from }) {
  const named = [...from];
  const sources = named.slice(0, NAMED).flatMap((path, at) => [...(at > 0 ? [", "] : []), code(path)]);
  const more = named.length > NAMED ? [` and ${named.length - NAMED} more`] : [];
  if (by === "const") return ["a constant"];
  if (by === "engine") return named.length > 0 ? [...sources, ...more, " by the engine"] : ["the engine"];
  if (by === "settings") return named.length > 0 ? [...sources, ...more, " by the settings"] : ["the settings"];
  return [...sources, ...more, ...(by === "copy" ? [] : [" by ", element("b", {}, by)])];
}
