import escape from "escape-string-regexp";

/**
 * The text with `mark` around every place where one of the words stands, in any case.
 *
 * @param {string} text
 * @param {string[]} words what was searched for; of two that begin at one place the longer one counts
 * @param {[string, string]} mark what comes before and after
 * @returns {string}
 */
export function highlight(text, words, mark = ["[", "]"]) {
  const wanted = words.filter((word) => word !== "").map(escape);
  if (wanted.length === 0) return text;
  return text.replace(new RegExp(wanted.join("|"), "gi"), (found) => mark[0] + found + mark[1]);
}
