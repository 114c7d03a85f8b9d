// The component, in a worker: the page stays alive, and can end what takes too long.

// The build makes this module of the components; it is the same for all of them.
import { instantiate } from "component";

/** What the page needs to know of a document. */
const entry = ({ length, route, idHigh, idLow, time, position }) => ({
  length,
  route,
  id: ((idHigh << 64n) | idLow).toString(16).padStart(32, "0"),
  time: Number(time),
  position,
});

/** Maps payloads, posts the parts and messages that leave, and gives a receipt of each payload, and of the end. */
function map({ modules, settings, receivedAt, payloads, finish }) {
  const { Pipeline } = instantiate((file) => modules[file], {
    "defenderbeat:pipeline/diagnostics": { report: (level, message) => postMessage({ message: { level, message } }) },
    "defenderbeat:pipeline/lookup": { find: () => undefined },
    "defenderbeat:pipeline/sink": {
      write: (ndjson, documents) => postMessage({ part: { ndjson, documents: documents.map(entry) } }, [ndjson.buffer]),
    },
  }).transformer;
  const pipeline = Pipeline.open(settings);
  const receipts = payloads.map(({ feed, bytes }) => {
    const receipt = pipeline.push({ feed, receivedAt, payloads: [bytes] });
    if (receipt.facts.length > 0) pipeline.learn(receipt.facts);
    return receipt;
  });
  if (finish) receipts.push(pipeline.finish());
  return receipts;
}

onmessage = ({ data }) => {
  const began = performance.now();
  try {
    postMessage({ receipts: map(data), took: performance.now() - began });
  } catch (error) {
    // A settings-error; all else is a trap.
    postMessage(error.payload ? { refused: error.payload } : { trap: error.message });
  }
};
