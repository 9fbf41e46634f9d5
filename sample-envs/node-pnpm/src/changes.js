import { dequal } from "dequal";

/**
 * The names of all settings that differ, sorted: changed, added and removed ones.
 *
 * @param {Record<string, unknown>} before
 * @param {Record<string, unknown>} after
 * @returns {string[]}
 */
export function changes(before, after) {
  return Object.keys(after)
    .filter((name) => !dequal(before[name], after[name]))
    .sort();
}
