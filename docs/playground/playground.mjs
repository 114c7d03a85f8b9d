// The page: maps what the form holds and shows what came of it.

import { byId, counted, element } from "./dom.mjs";
import { showDocuments } from "./documents.mjs";
import { showFindings } from "./findings.mjs";
import * as form from "./form.mjs";
import { run } from "./runner.mjs";

/** Bytes of payloads. What is longer is for the command line. */
const LONGEST = 16 << 20;
/** Bytes of payloads that are explained: an explanation takes some 25 times as long as a document. */
const EXPLAINED = 1 << 20;
/** Bytes of documents that are kept. */
const KEPT = 64 << 20;

/** Ends the run that goes on; another one in its place says that what the run gives is not asked for any more. */
let current = new AbortController();

async function map() {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  clear();
  try {
    const request = form.request();
    const bytes = request.payloads.reduce((sum, payload) => sum + payload.bytes.length, 0);
    if (bytes > LONGEST) {
      const limit = `the page takes ${LONGEST >> 20} MiB`;
      throw new form.Mistake(`The payload has ${counted(bytes, "byte")}; ${limit}. For more there is the command: defenderbeat transform.`);
    }
    busy(true);
    const limits = { deadline: form.deadline(), kept: KEPT, signal };
    const result = await run(form.dataset().name, request, limits);
    if (current.signal !== signal) return;
    show(result);
    if (byId("results").getBoundingClientRect().top > innerHeight) byId("results").scrollIntoView();
    if (result.receipts && result.documents.length > 0 && byId("explain").checked) {
      await explain(result, request, bytes, limits);
    } else {
      showDocuments(result, { namespace: namespace() });
    }
  } catch (error) {
    const isMistake = error instanceof form.Mistake;
    problem(isMistake ? "Not mapped" : "The page failed", error.message);
    if (!isMistake) throw error;
  } finally {
    if (current.signal === signal) busy(false);
  }
}

/** Shows documents with what the component says of each; only without it where that fails. */
async function explain(result, request, bytes, limits) {
  if (bytes > EXPLAINED) {
    showDocuments(result, { namespace: namespace(), unexplained: `Payloads of more than ${EXPLAINED >> 20} MiB are not explained.` });
    return;
  }
  const settings = JSON.stringify({ ...form.settings(), explain: true });
  const explained = await run(form.dataset().name, { ...request, settings }, limits);
  if (current.signal !== limits.signal) return;
  const unexplained = explained.receipts ? undefined : "The component was ended while it explained itself, which takes some 25 times as long.";
  showDocuments(result, { namespace: namespace(), explanations: explained.documents, unexplained });
}

function namespace() {
  return form.settings()?.namespace ?? "default";
}

function clear() {
  byId("problem").hidden = true;
  byId("findings").replaceChildren();
  byId("documents").replaceChildren();
  byId("summary").textContent = "Mapping…";
  form.refuse();
  for (const input of form.shown()) input.mark([]);
}

function busy(is) {
  byId("stop").hidden = !is;
  byId("results").setAttribute("aria-busy", String(is));
  document.body.dataset.state = is ? "busy" : "done";
}

function problem(title, ...text) {
  byId("summary").textContent = "";
  byId("problem").replaceChildren(element("h2", {}, title), ...text.map((line) => element("p", {}, line)));
  byId("problem").hidden = false;
}

/** Shows all but the documents. */
function show(result) {
  const { took } = result;
  const left = `${counted(result.documents.length + result.unkept, "document")} had left before.`;
  if (result.refused) {
    form.refuse(result.refused);
    problem("Settings refused", `At ${result.refused.path}: ${result.refused.message}`);
  } else if (result.trap) {
    problem("The component trapped", result.trap, ...result.messages.map(({ message }) => message), left);
  } else if (result.late) {
    problem("Ended at the deadline", `Mapping took longer than ${form.deadline() / 1000} s. ${left} Settings have the deadline.`);
  } else if (result.stopped) {
    problem("Stopped", left);
  } else {
    byId("summary").textContent = `${outcome(result.receipts)} in ${took < 10 ? took.toFixed(1) : Math.round(took)} ms`;
    showFindings(result, form.shown());
  }
}

/** What became of the records. */
function outcome(receipts) {
  const tallies = receipts.flatMap(({ tallies }) => tallies);
  const total = (count) => tallies.reduce((sum, tally) => sum + tally[count], 0);
  const fates = ["mapped", "held", "dropped", "rejected"].filter((fate) => fate === "mapped" || total(fate) > 0);
  const parts = fates.map((fate) => `${total(fate).toLocaleString("en")} ${fate}`);
  return `${counted(total("records"), "record")}: ${parts.join(", ")}; ${counted(total("documents"), "document")}`;
}

byId("stop").addEventListener("click", () => current.abort());
form.start({
  submit: map,
  changed() {
    current.abort();
    current = new AbortController();
    busy(false);
    clear();
    byId("summary").textContent = "Paste a payload, drop a file or choose an example.";
  },
});
