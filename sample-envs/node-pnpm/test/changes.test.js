import assert from "node:assert/strict";
import { test } from "node:test";

import { changes } from "../src/changes.js";

test("equal settings do not differ, however deep", () => {
  assert.deepEqual(changes({ a: { b: [1, 2] } }, { a: { b: [1, 2] } }), []);
});

test("changed and added ones differ", () => {
  assert.deepEqual(changes({ a: 1 }, { b: 2, a: 3 }), ["a", "b"]);
});

test("removed ones differ", () => {
  assert.deepEqual(changes({ a: 1, b: 2 }, { b: 2 }), ["a"]);
});
