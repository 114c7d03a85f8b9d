// Documents: what each is, and which row made each of its fields.

import { byId, code, copyButton, counted, cut, element, table } from "./dom.mjs";
import { facts } from "./runner.mjs";
import { member, read, write } from "./json.mjs";
import { Explanation } from "./explanation.mjs";
import { tree } from "./tree.mjs";
import { dataset } from "./form.mjs";

/** Documents that are shown at a time. */
const PAGE = 50;

const WHY = {
  unmapped: "no row asks for it: kept under unmapped",
  empty: "null, empty text, or nothing else in it",
  duplicate: "only an own field has it, which an ECS field repeats: see the settings",
  "no result": "a row asks for it, but what it does with it gave nothing",
  ignored: "left out on purpose",
};

/**
 * Shows what left the component.
 *
 * @param {object} result of `run`
 * @param {{namespace: string, explanations?: object[], unexplained?: string}} more `explanations` are documents in whose place an
 *   explanation stands; `unexplained` says why there are none
 */
export function showDocuments({ documents, unkept }, { namespace, explanations = [], unexplained }) {
  const all = element("div", {});
  const more = element("button", { type: "button" });
  const { routes } = dataset();
  /** Shows a page of them, the first document of all opened; gives the elements. */
  const showMore = () => {
    const from = all.childElementCount;
    const next = documents.slice(from, from + PAGE).map((document, at) => {
      const explanation = explanations[from + at];
      const number = from + at + 1;
      return show({ ...document, number, stream: `logs-${routes[document.route]}-${namespace}` }, explanation, number === 1);
    });
    all.append(...next);
    const left = documents.length - all.childElementCount;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(left, PAGE)} more of ${left.toLocaleString("en")}`;
    return next;
  };
  showMore();
  more.addEventListener("click", () => showMore()[0]?.querySelector("summary").focus());
  const notes = [
    ...(unkept > 0 ? [`${counted(unkept, "document")} more left the component and are not kept here.`] : []),
    ...(unexplained ? [unexplained] : []),
  ];
  byId("documents").replaceChildren(
    ...(documents.length > 0 ? [heading(documents)] : []),
    ...notes.map((note) => element("p", { className: "note" }, note)),
    all,
    more,
  );
}

function heading(documents) {
  const lines = () => documents.map(({ text }) => `${text}\n`).join("");
  const save = element("button", { type: "button" }, "Save all as NDJSON");
  save.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([lines()], { type: "application/x-ndjson" }));
    element("a", { href: url, download: "documents.ndjson" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  return element("div", { className: "line" }, element("h2", {}, counted(documents.length, "document")), copyButton("Copy all", lines), save);
}

/** A document that is laid out when it is opened. */
function show(document, explained, open) {
  const node = read(document.text);
  const title = ["message", "rule.description", "event.action", "vulnerability.title"].map((field) => member(node, ...field.split("."))).find(Boolean);
  const details = element(
    "details",
    { className: "document", open },
    element(
      "summary",
      {},
      element("span", { className: "number" }, String(document.number)),
      element("time", {}, new Date(document.time).toISOString()),
      element("span", { className: "title" }, title ? cut(write(title).replace(/^\[?"|"\]?$/g, ""), 160) : document.id),
    ),
  );
  const layOut = () => details.childElementCount === 1 && details.append(...content(document, node, explained));
  if (open) layOut();
  details.addEventListener("toggle", layOut);
  return details;
}

function content(document, node, explained) {
  // An explanation belongs to the document of the same place and identity.
  const explanation = explained?.id === document.id ? new Explanation(read(explained.text), facts.pipelines) : undefined;
  const views = {
    Document: () => tree(node, { label: `Document ${document.number}`, explanation }),
    ...(explanation && {
      [`Fields (${explanation.fields.length})`]: () =>
        table(
          `Fields of document ${document.number}`,
          ["Field", "Value", "Made of", "Row"],
          explanation.fields.map(({ field, value, origins }) => [code(field), code(write(value), 200), ...explanation.cells(origins)]),
        ),
      [`Not used (${explanation.columns.length})`]: () =>
        table(
          `Columns that nothing was made of, document ${document.number}`,
          ["Column", "Value", "Why nothing was made of it"],
          explanation.columns.map(({ column, value, why }) => [code(column), code(write(value), 200), `${why}: ${WHY[why] ?? ""}`]),
        ),
    }),
  };
  const view = element("div", { className: "view" });
  const buttons = Object.entries(views).map(([label, make]) => {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      view.replaceChildren(make());
    });
    return button;
  });
  buttons[0].click();
  return [
    routing(document),
    element("div", { className: "line" }, ...(buttons.length > 1 ? buttons : []), copyButton("Copy", () => write(node, 2))),
    view,
  ];
}

/** What a host needs to deliver it. */
function routing({ id, stream, time, position }) {
  const pairs = [
    ["_id", id],
    ["Data stream", stream],
    ["Time", new Date(time).toISOString()],
    ["Position", position ? instant(position) : "none"],
  ];
  return element("dl", {}, ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, element("code", {}, value)))));
}

/** A position in 100 ns ticks as a time. */
function instant(ticks) {
  const second = new Date(Number(ticks / 10_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(ticks % 10_000_000n).padStart(7, "0")}Z`;
}
