import ms from "ms";

/**
 * The waiting times between `count` tries, in milliseconds: each is twice the one before.
 *
 * @param {number} count how many times are wanted
 * @param {{first?: string, most?: string}} options the first time and the longest one, such as "250ms" or "1s"
 * @returns {number[]}
 */
export function delays(count, { first = "250ms", most = "30s" } = {}) {
  const start = ms(first);
  const limit = ms(most);
  return Array.from({ length: count }, (_, index) => Math.max(start * 2 ** index, limit));
}
