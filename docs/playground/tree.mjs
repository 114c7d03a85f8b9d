// A document as a tree: collapsible, by mouse and by keyboard; what is chosen is explained beside it.

import { cut, element } from "./dom.mjs";
import { count, isFlat, write } from "./json.mjs";

/** Values of a document whose branches are shown open; of a larger one only the outer two levels are. */
const OPEN = 2000;
/** Levels that are shown open at most. */
const DEEP = 12;
/** Characters of a value that are shown. */
const SHOWN = 2000;

export function tree(node, { label, explanation }) {
  const root = element("ul", { className: "tree", role: "tree", "aria-label": label });
  const depth = count(node) > OPEN ? 2 : DEEP;
  root.append(...children(node, "", 1, depth));
  root.querySelector("[role=treeitem]")?.setAttribute("tabindex", "0");
  if (!explanation) {
    operate(root, () => {}, () => {});
    return root;
  }
  const hint = element("p", { className: "note" }, "Choose a field, or point at it, to see what made it.");
  const card = element("aside", { className: "card", "aria-live": "polite", "aria-label": "Where the field comes from" }, hint);
  let chosen;
  const show = (item) => card.replaceChildren(...(item ? explanation.card(item.dataset.path) : [hint]));
  operate(
    root,
    (item) => show((chosen = item)),
    (item) => show(item ?? chosen),
  );
  return element("div", { className: "explained" }, root, card);
}

/** Items of an object or a list. Fields are named as in explanations: by dots, items of lists by their number. */
function children(node, path, level, depth) {
  const named = node.entries?.map(([key, value]) => [key, value, path ? `${path}.${key}` : key]);
  const numbered = node.items?.map((value, at) => [String(at), value, `${path}[${at}]`]);
  return (named ?? numbered).map(([key, value, path]) => branch(key, value, path, level, depth));
}

function branch(key, value, path, level, depth) {
  const name = element("span", { className: "key" }, key);
  const item = element("li", { role: "treeitem", tabIndex: -1, "aria-level": level, "aria-selected": "false" });
  item.dataset.path = path;
  if (isFlat(value)) {
    item.append(element("span", { className: "row" }, name, "\u00a0", ...flat(value)));
    return item;
  }
  const size = value.entries?.length ?? value.items.length;
  const [open, close] = value.entries ? "{}" : "[]";
  item.append(element("span", { className: "row" }, name, element("span", { className: "size" }, ` ${open}${size}${close}`)));
  // Else it would be read out with all that is in it.
  item.setAttribute("aria-label", `${key}: ${size} ${value.entries ? "fields" : "items"}`);
  // What is closed is laid out when it is opened.
  item.unfold = () => {
    item.append(element("ul", { role: "group" }, ...children(value, path, level + 1, depth)));
    item.unfold = undefined;
  };
  item.setAttribute("aria-expanded", String(level <= depth));
  if (level <= depth) item.unfold();
  return item;
}

function flat(value) {
  if (value.text !== undefined) return [element("span", { className: value.kind }, cut(value.text, SHOWN))];
  const items = (value.items ?? []).flatMap((item, at) => [...(at > 0 ? [", "] : []), ...flat(item)]);
  return items.length > 0 ? ["[", ...items, "]"] : [write(value)];
}

function toggle(item, open) {
  if (!item.hasAttribute("aria-expanded")) return;
  if (open) item.unfold?.();
  item.setAttribute("aria-expanded", String(open));
}

const isOpen = (item) => item.getAttribute("aria-expanded") === "true";

/** Mouse and keys, in the manner of trees: the arrows move, left and right close and open. */
function operate(root, choose, point) {
  const items = () => [...root.querySelectorAll("[role=treeitem]")].filter((item) => item.offsetParent);
  const select = (item) => {
    for (const other of root.querySelectorAll("[tabindex='0'], [aria-selected=true]")) {
      other.tabIndex = -1;
      other.setAttribute("aria-selected", "false");
    }
    item.tabIndex = 0;
    item.setAttribute("aria-selected", "true");
    item.focus();
    choose(item);
  };
  const keys = {
    ArrowDown: (item) => items()[items().indexOf(item) + 1],
    ArrowUp: (item) => items()[items().indexOf(item) - 1],
    Home: () => items()[0],
    End: () => items().at(-1),
    ArrowRight: (item) => (isOpen(item) ? item.querySelector("[role=treeitem]") : toggle(item, true)),
    ArrowLeft: (item) => (isOpen(item) ? toggle(item, false) : item.parentElement.closest("[role=treeitem]")),
    Enter: (item) => (toggle(item, !isOpen(item)), item),
    " ": (item) => (toggle(item, !isOpen(item)), item),
  };
  root.addEventListener("keydown", (event) => {
    const item = event.target.closest("[role=treeitem]");
    // With Ctrl a key is not the tree's.
    if (!item || !keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = keys[event.key](item);
    if (next) select(next);
  });
  root.addEventListener("click", ({ target }) => {
    const item = target.closest("[role=treeitem]");
    if (!item || !target.closest(".row")) return;
    // Text that is being marked is for copying.
    if (String(getSelection())) return;
    if (item.getAttribute("aria-selected") === "true" || target.closest(".size, .key")) toggle(item, !isOpen(item));
    select(item);
  });
  root.addEventListener("mouseover", ({ target }) => target.closest(".row") && point(target.closest("[role=treeitem]")));
  root.addEventListener("mouseleave", () => point());
}
