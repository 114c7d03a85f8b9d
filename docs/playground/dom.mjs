// Elements without markup: text is only ever text.

/** An element: `element("p", { className: "note" }, "text", otherElement)`. Names with a hyphen and `role` are attributes. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (key.includes("-") || key === "role" || key === "for" || key === "colspan") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** A table with a caption for those who do not see it. */
export function table(caption, head, rows) {
  return element(
    "div",
    { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", { className: "unseen" }, caption),
      element("thead", {}, element("tr", {}, ...head.map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))))),
    ),
  );
}

/** Text in the typeface of code, cut where it is long. */
export function code(text, limit = 400) {
  return element("code", {}, cut(text, limit));
}

export function cut(text, limit) {
  return text.length > limit ? `${text.slice(0, limit)}… (${(text.length - limit).toLocaleString("en")} more characters)` : text;
}

/** `1 record`, `2 records`. */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A button that copies what `text()` gives, and says that it did. */
export function copyButton(label, text) {
  const button = element("button", { type: "button" }, label);
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text())) ? "Copied" : "Not copied";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages of a plain file server have no clipboard; the old way still works.
    const area = element("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
