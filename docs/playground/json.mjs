// JSON as nodes that keep the text of each value, so that no number is rounded and no text is spelled anew.
//
// A node is {kind: "object", entries: [[key, node]..]}, {kind: "array", items} or {kind: "string" | "number" | "literal", text}.

const TOKEN = /\s*([{}[\]:,]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\]:,"]+)/gy;

/** Reads a text that is JSON. */
export function read(text) {
  TOKEN.lastIndex = 0;
  const next = () => TOKEN.exec(text)?.[1] ?? "";
  const value = (token) => {
    if (token === "{") return object();
    if (token === "[") return array();
    if (token[0] === '"') return { kind: "string", text: token };
    return { kind: /^[-\d]/.test(token) ? "number" : "literal", text: token };
  };
  const object = () => {
    const entries = [];
    for (let token = next(); token !== "}" && token; token = next()) {
      if (token === ",") continue;
      next();
      entries.push([JSON.parse(token), value(next())]);
    }
    return { kind: "object", entries };
  };
  const array = () => {
    const items = [];
    for (let token = next(); token !== "]" && token; token = next()) {
      if (token !== ",") items.push(value(token));
    }
    return { kind: "array", items };
  };
  return value(next());
}

/** The member of an object, by names from the outside to the inside. */
export function member(node, ...path) {
  return path.reduce((node, name) => node?.entries?.find(([key]) => key === name)?.[1], node);
}

/** A node as text: in one line, or indented. */
export function write(node, indent = 0, depth = 0) {
  if (node.text !== undefined) return node.text;
  const [open, close] = node.kind === "object" ? "{}" : "[]";
  const colon = indent ? ": " : ":";
  const parts =
    node.kind === "object"
      ? node.entries.map(([key, value]) => JSON.stringify(key) + colon + write(value, indent, depth + 1))
      : node.items.map((item) => write(item, indent, depth + 1));
  if (parts.length === 0) return open + close;
  if (!indent) return open + parts.join(",") + close;
  const line = (depth) => `\n${" ".repeat(indent * depth)}`;
  return open + line(depth + 1) + parts.join(`,${line(depth + 1)}`) + line(depth) + close;
}

/** How many values there are in it. */
export function count(node) {
  const inner = node.entries?.map(([, value]) => value) ?? node.items ?? [];
  return inner.reduce((sum, value) => sum + count(value), 1);
}

/** Whether it is shown in one line: a value, a list of values, or an object with nothing in it. */
export function isFlat(node) {
  if (node.text !== undefined) return true;
  return node.kind === "array" ? node.items.every((item) => item.text !== undefined) : node.entries.length === 0;
}
