import assert from "node:assert/strict";
import { test } from "node:test";

import { highlight } from "../src/highlight.js";

test("nothing searched for, nothing marked", () => {
  assert.equal(highlight("as it is", [""]), "as it is");
});

test("words are marked in any case, and mean themselves", () => {
  assert.equal(highlight("What? what.", ["what?"]), "[What?] what.");
});

test("the longer of two words counts", () => {
  assert.equal(highlight("a carpet", ["car", "carpet"]), "a [carpet]");
});
