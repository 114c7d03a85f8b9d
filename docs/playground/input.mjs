// A payload: text that is typed or pasted, or a file.

import { byId, counted, element } from "./dom.mjs";

/** Bytes of a file that is shown as text. */
const SHOWN = 1 << 20;
/** Characters of a text in which rejects are marked. */
const MARKED = 256 << 10;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class Input {
  /** What a file holds that cannot be shown as text: too much, or bytes that a text field would change. */
  #file;
  #text = element("textarea", { className: "code payload", rows: 11, spellcheck: false, wrap: "off" });
  #marks = element("div", { className: "code marks", "aria-hidden": "true" });
  #note = element("p", { className: "note" });

  /** @param {string} feed whose payload it is */
  constructor(feed) {
    this.feed = feed;
    const id = `payload-${feed}`;
    const chooser = element("input", { type: "file", hidden: true });
    const open = element("button", { type: "button" }, "Open a file…");
    const clear = element("button", { type: "button" }, "Clear");
    this.#text.id = id;
    this.#text.placeholder = 'One record or many:\nan object, objects one a line, an array,\nor {"value":[..]}';
    this.section = element(
      "section",
      { className: "input" },
      element("div", { className: "line" }, element("label", { for: id }, `Payload of ${feed}`), chooser, open, clear),
      element("div", { className: "field" }, this.#marks, this.#text),
      this.#note,
    );
    open.addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => this.#open(chooser.files));
    clear.addEventListener("click", () => {
      this.set("");
      this.#text.focus();
    });
    this.#text.addEventListener("input", () => this.#edited());
    this.#text.addEventListener("scroll", () => this.#follow());
    for (const kind of ["dragover", "dragleave", "drop"]) this.section.addEventListener(kind, (event) => this.#drag(event));
  }

  /** The payload's bytes. */
  get bytes() {
    return this.#file ?? new TextEncoder().encode(this.#text.value);
  }

  set(text) {
    this.#file = undefined;
    this.#text.readOnly = false;
    this.#text.value = text;
    this.#edited();
  }

  /** Marks what was rejected. Offsets count bytes. */
  mark(rejects) {
    const text = this.#text.value;
    this.#marks.replaceChildren();
    if (this.#file || text.length > MARKED) return;
    let end = 0;
    for (const reject of rejects) {
      const range = this.#range(reject);
      if (range.start < end) continue;
      this.#marks.append(text.slice(end, range.start), element("mark", {}, text.slice(range.start, range.end)));
      end = range.end;
    }
    this.#marks.append(text.slice(end), "\n");
    this.#follow();
  }

  /** Selects what was rejected and brings it into view. */
  show(reject) {
    if (this.#file) return;
    const { start, end } = this.#range(reject);
    const line = this.#text.value.slice(0, start).split("\n").length - 1;
    this.#text.focus();
    this.#text.setSelectionRange(start, end);
    this.#text.scrollTop = Math.max(0, line - 2) * Number.parseFloat(getComputedStyle(this.#text).lineHeight);
    this.#text.scrollLeft = 0;
  }

  /** The first characters of what was rejected. */
  excerpt({ offset, length }) {
    const start = Number(offset);
    return decoder.decode(this.bytes.subarray(start, start + Math.min(Number(length), 160)));
  }

  #range({ offset, length }) {
    const bytes = this.bytes;
    const start = decoder.decode(bytes.subarray(0, Number(offset))).length;
    return { start, end: start + decoder.decode(bytes.subarray(Number(offset), Number(offset) + Number(length))).length };
  }

  #edited() {
    this.#marks.replaceChildren();
    this.#note.textContent = "";
  }

  #follow() {
    this.#marks.scrollTop = this.#text.scrollTop;
    this.#marks.scrollLeft = this.#text.scrollLeft;
  }

  #drag(event) {
    event.preventDefault();
    this.section.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") this.#open(event.dataTransfer.files);
  }

  async #open([file]) {
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const text = bytes.length <= SHOWN ? decoder.decode(bytes) : undefined;
    this.set(text ?? "");
    // A text field makes line feeds of CR LF, and text of what is no UTF-8.
    const isSame = text !== undefined && equal(new TextEncoder().encode(this.#text.value), bytes);
    if (!isSame) {
      this.#file = bytes;
      this.#text.readOnly = true;
    }
    const size = counted(bytes.length, "byte");
    this.#note.textContent = isSame
      ? `${file.name}, ${size}`
      : `${file.name}, ${size}, taken as it is: ${text === undefined ? "too long to be shown" : "a text field would change its bytes"}. Clear it to type.`;
    byId("map").focus();
  }
}

function equal(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
