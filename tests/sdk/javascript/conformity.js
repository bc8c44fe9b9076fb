"use strict";
// Whether an SDK reads all of an answer: what its models do not know, or take for something else, it loses without a word.

const assert = require("node:assert/strict");

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** The plain values of a document or of a model, in no order. */
function* values(whole) {
  if (whole instanceof Date) {
    yield whole.toISOString();
  } else if (whole !== null && typeof whole === "object") {
    for (const part of Object.values(whole)) yield* values(part);
  } else if (typeof whole === "string" && TIME.test(whole)) {
    yield new Date(whole).toISOString();
  } else if (whole !== null && whole !== undefined) {
    yield whole;
  }
}

const sorted = (whole) => [...values(whole)].map((value) => JSON.stringify(value)).sort();

/** Fails unless the model has every value of the document that it was made of, and no other. */
function readsBack(model, document) {
  assert.deepEqual(sorted(model), sorted(document));
}

module.exports = { readsBack };
