import assert from "node:assert/strict";
import { test } from "node:test";

import { delays } from "../src/backoff.js";

test("no tries, no waiting", () => {
  assert.deepEqual(delays(0), []);
});

test("each time is twice the one before", () => {
  assert.deepEqual(delays(3, { first: "100ms", most: "1m" }), [100, 200, 400]);
});

test("no time is longer than the limit", () => {
  assert.deepEqual(delays(4, { first: "250ms", most: "1s" }), [250, 500, 1000, 1000]);
});
