import picomatch from "picomatch";

/**
 * The files a list of patterns means: each pattern adds files, one that begins with "!" takes some away again.
 *
 * @param {string[]} files
 * @param {string[]} patterns in the order they count
 * @returns {string[]}
 */
export function chosen(files, patterns) {
  const left = new Set();
  for (const pattern of patterns) {
    const takesAway = pattern.startsWith("!");
    const matches = picomatch(pattern);
    for (const file of files.filter((file) => matches(file))) {
      if (takesAway) left.delete(file);
      else left.add(file);
    }
  }
  return files.filter((file) => left.has(file));
}
