// @ts-check
// Sizes, rates and times as people type them. Nothing here touches the page.

const UNITS = ["", "k", "M", "G", "T"];
const SECONDS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const TIME_WORDS = /^(?:(s|sec|sek)|(m|min)|(h|hr|std)|(d|t|day|tag)|(w|wk))(?:s|e|en|n)?$/;
const LONG_WORDS = /** @type {Record<string, number>} */ ({
  second: 1, sekunde: 1, minute: 60, hour: 3600, stunde: 3600, day: 86400, tag: 86400,
  week: 604800, woche: 604800,
});

/**
 * Reads a number without sign. The grouping separator of the language counts as such only before
 * three digits; otherwise a comma and a point both begin the fraction.
 * @param {string} text
 * @param {string} lang
 * @returns {number} NaN if it is none
 */
export function parseNumber(text, lang) {
  const parts = new Intl.NumberFormat(lang).formatToParts(12345.6);
  const separator = (/** @type {string} */ type) =>
    parts.find((part) => part.type === type)?.value ?? "";
  const [group, decimal] = [separator("group"), separator("decimal")];
  const s = text.replace(/[\s'’]/g, "");
  if (/^\d{1,3}([.,]\d{3})+([.,]\d+)?$/.test(s) && s.charAt(s.search(/[.,]/)) === group) {
    const [whole, fraction, more] = s.replaceAll(group, "").split(decimal);
    return more === undefined ? Number(`${whole}.${fraction ?? 0}`) : NaN;
  }
  return /^(\d+[.,]?\d*|[.,]\d+)$/.test(s) ? Number(s.replace(",", ".")) : NaN;
}

/**
 * Reads a size or rate such as 500k, 1.5 MB or 2 MiB/s. Units are powers of 1024, as everywhere
 * in the program.
 * @param {string} text empty means 0
 * @param {string} lang
 * @returns {number} bytes, or NaN
 */
export function parseSize(text, lang) {
  const found = /^([\d.,\s'’]+)([kmgt]?)i?(?:b|bytes?)?(?:\/s)?$/i.exec(text.trim());
  if (!found) return text.trim() === "" ? 0 : NaN;
  const power = UNITS.findIndex((unit) => unit.toLowerCase() === (found[2] ?? "").toLowerCase());
  const n = Math.round(parseNumber(found[1] ?? "", lang) * 1024 ** power);
  return n <= 2 ** 50 ? n : NaN;
}

/**
 * Writes a size so that parseSize reads the same number; 0 is empty.
 * @param {number} n
 * @param {string} lang
 */
export function showSize(n, lang) {
  if (n === 0) return "";
  for (let power = UNITS.length - 1; power > 0; power--) {
    const v = n / 1024 ** power;
    if (v >= 1 && Number.isInteger(v * 100)) return `${showNumber(v, lang)} ${UNITS[power]}`;
  }
  return showNumber(n, lang);
}

/**
 * Writes a number without groups.
 * @param {number} n
 * @param {string} lang
 */
export function showNumber(n, lang) {
  return new Intl.NumberFormat(lang, { useGrouping: false, maximumFractionDigits: 20 }).format(n);
}

/**
 * Reads a time such as 30 min, 1h 30m or 3 days, in English or German words.
 * @param {string} text empty means 0
 * @param {string} lang
 * @returns {number} seconds, or NaN
 */
export function parseTime(text, lang) {
  const s = text.trim().toLowerCase();
  if (s === "" || s === "0") return 0;
  const part = /([\d.,]+)\s*([a-z]+)\.?\s*/y;
  let sum = 0;
  while (part.lastIndex < s.length) {
    const found = part.exec(s);
    if (!found) return NaN;
    sum += parseNumber(found[1] ?? "", lang) * unitSeconds(found[2] ?? "");
  }
  return sum;
}

/** @param {string} word */
function unitSeconds(word) {
  const found = TIME_WORDS.exec(word);
  if (found) return Object.values(SECONDS)[found.slice(1).findIndex(Boolean)] ?? NaN;
  return LONG_WORDS[word] ?? LONG_WORDS[word.slice(0, -1)] ?? NaN;
}

/**
 * Writes a time so that parseTime reads the same number; 0 is empty.
 * @param {number} seconds
 * @param {string} lang
 */
export function showTime(seconds, lang) {
  const parts = [];
  for (const [unit, size] of /** @type {[string, number][]} */ ([
    ["d", 86400], ["h", 3600], ["min", 60]])) {
    const n = Math.floor(seconds / size);
    if (n > 0) parts.push(`${n} ${unit}`);
    seconds -= n * size;
  }
  if (seconds > 0) parts.push(`${showNumber(seconds, lang)} s`);
  return parts.join(" ");
}
