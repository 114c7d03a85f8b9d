// What a receipt says beside documents: rejects, names that the mapping does not know, messages.

import { byId, code, counted, element, table } from "./dom.mjs";

/** Rejects that are listed and marked. */
const LISTED = 200;

export function showFindings({ receipts, messages }, inputs) {
  // Each payload has its receipt, in their order; the one of the end rejects nothing.
  const rejects = receipts.flatMap((receipt, at) => receipt.rejects.map((reject) => ({ ...reject, input: inputs[at] })));
  const listed = rejects.slice(0, LISTED);
  for (const input of inputs) input.mark(listed.filter((reject) => reject.input === input));
  const drift = new Map();
  for (const { name, count } of receipts.flatMap(({ drift }) => drift)) drift.set(name, (drift.get(name) ?? 0) + count);
  byId("findings").replaceChildren(
    ...section("rejects", counted(rejects.length, "reject"), rejects.length, () =>
      element("ol", {}, ...listed.map(rejected), ...(rejects.length > LISTED ? [element("li", {}, "…")] : [])),
    ),
    ...section("drift", `${counted(drift.size, "name")} that the mapping does not know`, drift.size, () =>
      table("Names that the mapping does not know", ["Name", "Times"], [...drift].map(([name, count]) => [code(name), String(count)])),
    ),
    ...section("messages", counted(messages.length, "message"), messages.length, () =>
      element("ul", {}, ...messages.slice(0, LISTED).map(({ level, message }) => element("li", {}, `${level}: ${message}`))),
    ),
  );
}

function section(name, title, count, content) {
  if (count === 0) return [];
  return [element("details", { id: name, className: "finding", open: name === "rejects" }, element("summary", {}, title), content())];
}

function rejected(reject) {
  const { input, offset, length, code: why, path, message } = reject;
  const place = `${counted(Number(length), "byte")} at ${Number(offset).toLocaleString("en")}`;
  const show = element("button", { type: "button", className: "link", onclick: () => input.show(reject) }, place);
  return element("li", {}, show, ` of ${input.feed}: ${why}${path && ` at ${path}`}: ${message} `, element("br"), code(input.excerpt(reject), 120));
}
