// The form: dataset, feeds, examples, settings.

import { byId, element } from "./dom.mjs";
import { Input } from "./input.mjs";
import { facts } from "./runner.mjs";

const SWITCHES = [
  { key: "preserve_original_event", label: "Keep each record in event.original" },
  { key: "preserve_duplicate_custom_fields", label: "Keep own fields that an ECS field repeats" },
  { key: "affected_machines_only", label: "Only findings with a machine", only: "vulnerability" },
];

/** Inputs by dataset and feed: what was typed is there again when one comes back to it. */
const inputs = new Map();

export function dataset() {
  const name = document.querySelector("input[name=dataset]:checked").value;
  return facts.datasets.find((dataset) => dataset.name === name);
}

/** What can be given to a component: each of its feeds alone, and those of a sync together, in their order. */
function shapes({ feeds }) {
  const alone = feeds.filter(({ state }) => state !== "sync").map(({ name }) => ({ label: name, feeds: [name] }));
  const sync = feeds.filter(({ state }) => state === "sync").map(({ name }) => name);
  return sync.length > 0 ? [...alone, { label: `a sync: ${sync.join(", ")}`, feeds: sync, finish: true }] : alone;
}

function shape() {
  return shapes(dataset())[byId("shape").value];
}

/** The inputs that are shown. */
export function shown() {
  const { name } = dataset();
  return shape().feeds.map((feed) => {
    const key = `${name}/${feed}`;
    if (!inputs.has(key)) inputs.set(key, new Input(feed));
    return inputs.get(key);
  });
}

/** What the user has to change, in a message for them. */
export class Mistake extends Error {}

/** What the component is asked. @throws {Mistake} */
export function request() {
  return {
    settings: byId("settings-text").value.trim() || "{}",
    receivedAt: receivedAt(),
    payloads: shown().map(({ feed, bytes }) => ({ feed, bytes })),
    finish: Boolean(shape().finish),
  };
}

export function deadline() {
  return Math.max(1, Number(byId("deadline").value) || 10) * 1000;
}

function receivedAt() {
  const text = byId("received-at").value.trim();
  const time = text ? Date.parse(text) : Date.now();
  if (Number.isNaN(time)) throw new Mistake(`Received at: “${text}” is no time such as 2025-01-01T00:00:00Z`);
  return BigInt(time);
}

/** The settings as an object; none where the text is no JSON object. */
export function settings() {
  try {
    const value = JSON.parse(byId("settings-text").value.trim() || "{}");
    return value && typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Shows what the component said of the settings; nothing where it took them. */
export function refuse(refused) {
  const text = byId("settings-text");
  if (refused) text.setAttribute("aria-invalid", "true");
  else text.removeAttribute("aria-invalid");
  if (refused) byId("settings").open = true;
}

function showSettings() {
  const value = settings();
  for (const box of byId("switches").querySelectorAll("input")) {
    box.disabled = !value;
    box.checked = value?.[box.value] === true;
  }
  const keys = Object.keys(value ?? {});
  byId("settings-note").textContent = value ? keys.join(", ") : "no JSON object";
  refuse();
}

function setSettings(value) {
  byId("settings-text").value = Object.keys(value).length > 0 ? JSON.stringify(value, undefined, 2) : "";
  showSettings();
}

function toggle({ target: { value: key, checked } }) {
  const value = settings() ?? {};
  if (checked) value[key] = true;
  else delete value[key];
  setSettings(value);
}

function showDataset() {
  const { name, version, ecsVersion, tables } = dataset();
  byId("shape").replaceChildren(...shapes(dataset()).map(({ label }, at) => element("option", { value: at }, label)));
  byId("shape-label").hidden = shapes(dataset()).length === 1;
  const examples = facts.examples.map((example, at) => ({ ...example, at })).filter((example) => example.dataset === name);
  byId("example").replaceChildren(
    element("option", { value: "" }, "choose…"),
    ...examples.map(({ label, at }) => element("option", { value: at }, label)),
  );
  byId("switches").replaceChildren(
    ...SWITCHES.filter(({ only }) => !only || only === name).map(({ key, label }) =>
      element("label", { className: "switch" }, element("input", { type: "checkbox", value: key, onchange: toggle }), label),
    ),
  );
  byId("about").textContent = `Component ${name} ${version}, ECS ${ecsVersion}, mapping tables ${tables.slice(0, 12)}.`;
  showSettings();
  showInputs();
}

function showInputs() {
  byId("inputs").replaceChildren(...shown().map(({ section }) => section));
}

/** Puts an example into the form. */
function choose({ payloads, settings }) {
  const feeds = payloads.map(({ feed }) => feed);
  byId("shape").value = shapes(dataset()).findIndex((shape) => feeds.every((feed) => shape.feeds.includes(feed)));
  showInputs();
  for (const input of shown()) input.set(payloads.find(({ feed }) => feed === input.feed)?.text ?? "");
  setSettings(settings);
}

/**
 * Brings the form to life.
 *
 * @param {{changed: () => void, submit: () => void}} on what to do when another payload is asked for, and when it is to be mapped
 */
export function start({ changed, submit }) {
  byId("datasets").append(
    ...facts.datasets.map(({ name }, at) =>
      element("label", {}, element("input", { type: "radio", name: "dataset", value: name, checked: at === 0 }), name),
    ),
  );
  byId("datasets").addEventListener("change", () => {
    showDataset();
    changed();
  });
  byId("shape").addEventListener("change", () => {
    showInputs();
    changed();
  });
  byId("example").addEventListener("change", ({ target: { value } }) => {
    if (!value) return;
    choose(facts.examples[value]);
    submit();
  });
  byId("settings-text").addEventListener("input", showSettings);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("form").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    submit();
  });
  showDataset();
}
