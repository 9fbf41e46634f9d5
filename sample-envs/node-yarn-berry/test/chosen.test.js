import assert from "node:assert/strict";
import { test } from "node:test";

import { chosen } from "../src/chosen.js";

const FILES = ["a.js", "b.js", "lib/a.js", "notes.md"];

test("each pattern adds files", () => {
  assert.deepEqual(chosen(FILES, ["*.md", "lib/*"]), ["lib/a.js", "notes.md"]);
});

test("two stars reach every folder", () => {
  assert.deepEqual(chosen(FILES, ["**/a.js"]), ["a.js", "lib/a.js"]);
});

test("an exclamation mark takes files away", () => {
  assert.deepEqual(chosen(FILES, ["*.js", "!a.js"]), ["b.js"]);
});
