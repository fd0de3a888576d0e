// @ts-check
// What people paste to add torrents: magnet links, URLs and info-hashes. Nothing here touches
// the page.

/**
 * @typedef {object} Source
 * @property {string} source what the API takes
 * @property {string} name for people
 * @property {string} hash 40 hexadecimal digits, or empty while it is not known
 * @property {string[]} trackers
 */

const LINES = 1000;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * Reads one source per line, and several links on one line.
 * @param {string} text
 * @returns {{sources: Source[], bad: string[]}} without doubles; bad are the lines that are none
 */
export function parseSources(text) {
  /** @type {Map<string, Source>} */
  const sources = new Map();
  /** @type {string[]} */
  const bad = [];
  const lines = text.replace(/\s+(?=[<"']?(?:magnet:|https?:\/\/))/gi, "\n").split("\n");
  for (const line of lines.slice(0, LINES)) {
    const word = line.trim().replace(/^[<"']|[>"']$/g, "");
    if (word === "") continue;
    const source = parseSource(word);
    if (source) sources.set(source.hash || source.source, source);
    else bad.push(line.trim());
  }
  return { sources: [...sources.values()], bad: bad.concat(lines.slice(LINES)) };
}

/**
 * @param {string} word
 * @returns {Source | undefined}
 */
function parseSource(word) {
  if (/^magnet:\?/i.test(word)) return parseMagnet(word);
  if (/^https?:\/\/[^/\s]/i.test(word)) {
    return URL.canParse(word) ? { source: word, name: word, hash: "", trackers: [] } : undefined;
  }
  const hash = /^[0-9a-f]{64}$/i.test(word) ? word.toLowerCase().slice(0, 40) : hexOf(word);
  return hash ? { source: word, name: word, hash, trackers: [] } : undefined;
}

/**
 * @param {string} link
 * @returns {Source | undefined}
 */
function parseMagnet(link) {
  const query = new URLSearchParams(link.slice(link.indexOf("?") + 1));
  let [v1, v2] = ["", ""];
  for (const [key, topic] of query) {
    if (!/^xt(\.\d+)?$/.test(key)) continue;
    v1 ||= hexOf(/^urn:btih:(.*)$/i.exec(topic)?.[1] ?? "");
    v2 ||= (/^urn:btmh:1220([0-9a-f]{64})$/i.exec(topic)?.[1] ?? "").toLowerCase().slice(0, 40);
  }
  const hash = v1 || v2;
  if (!hash) return undefined;
  return { source: link, name: query.get("dn") || hash, hash, trackers: query.getAll("tr") };
}

/**
 * Returns the hexadecimal form of an info-hash in hexadecimal or Base32, or nothing.
 * @param {string} text
 */
function hexOf(text) {
  const s = text.toLowerCase();
  if (/^[0-9a-f]{40}$/.test(s)) return s;
  if (!/^[a-z2-7]{32}$/.test(s)) return "";
  let bits = 0n;
  for (const c of s) bits = bits * 32n + BigInt(BASE32.indexOf(c));
  return bits.toString(16).padStart(40, "0");
}

/**
 * Splits the labels that somebody typed.
 * @param {string} text
 * @returns {string[]} without doubles
 */
export function parseLabels(text) {
  return [...new Set(text.split(/[,\n]/).map((label) => label.trim()).filter(Boolean))];
}

/**
 * Reads tiers of trackers: one URL per line, and an empty line between tiers.
 * @param {string} text
 * @returns {string[][]}
 */
export function parseTiers(text) {
  return text.split(/\n\s*\n/).map((tier) => tier.split(/\s+/).filter(Boolean))
    .filter((tier) => tier.length > 0);
}
