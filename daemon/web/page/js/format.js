// @ts-check
// Numbers, times and names as people read them, in the language of the page.
import { lang, t } from "./i18n.js";

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/**
 * @param {number} digits
 * @param {Intl.NumberFormatOptions} [options]
 */
function numbers(digits, options) {
  const key = digits + (options?.style ?? "");
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(lang(),
      { minimumFractionDigits: digits, maximumFractionDigits: digits, ...options });
    formats.set(key, format);
  }
  return format;
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** @param {number} n @returns {string} A size: "12.3 MiB". */
export function bytes(n) {
  if (!Number.isFinite(n)) return "–";
  let value = Math.max(0, n);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return numbers(digits).format(value) + "\u00a0" + units[unit];
}

/** @param {number} n @returns {string} A rate: "12.3 MiB/s". */
export function rate(n) {
  return bytes(n) + "/s";
}

/** @param {number} n @returns {string} */
export function number(n) {
  return Number.isFinite(n) ? numbers(0).format(n) : "–";
}

/**
 * A share, rounded down, so that 100 % is the whole.
 * @param {number} part
 * @param {number} whole
 * @returns {string}
 */
export function percent(part, whole) {
  const share = whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
  const digits = share === 0 || share === 1 ? 0 : 1;
  return numbers(digits, { style: "percent" }).format(Math.floor(share * 1000) / 1000);
}

/** @param {number} n @returns {string} */
export function ratio(n) {
  return Number.isFinite(n) ? numbers(n < 10 ? 2 : 1).format(Math.max(0, n)) : "–";
}

/** @param {number} seconds @returns {string} A length of time: "2 h 5 min". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "∞";
  const s = Math.max(0, Math.round(seconds));
  const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = steps.findIndex(([size]) => s >= Number(size));
  if (first < 0) return "0\u00a0" + t("unit.s");
  const [size, unit] = steps[first];
  const whole = Math.floor(s / Number(size));
  let text = number(whole) + "\u00a0" + t("unit." + unit);
  if (first + 1 < steps.length && whole < 100) {
    const [less, small] = steps[first + 1];
    const rest = Math.floor((s - whole * Number(size)) / Number(less));
    if (rest > 0) text += " " + number(rest) + "\u00a0" + t("unit." + small);
  }
  return text;
}

/** @type {Intl.RelativeTimeFormat | undefined} */
let relative;

/**
 * A moment, seen from now: "5 minutes ago". Clocks differ: a moment of the past that seems to lie
 * in the future by less than a minute is now.
 * @param {string | null | undefined} iso
 * @param {number} [now] in milliseconds
 * @returns {string}
 */
export function when(iso, now = Date.now()) {
  const at = iso ? Date.parse(iso) : NaN;
  if (!(at > 0)) return "–";
  let s = Math.round((at - now) / 1000);
  if (Math.abs(s) < 60) s = 0;
  relative ??= new Intl.RelativeTimeFormat(lang(), { numeric: "auto" });
  const steps = /** @type {[number, Intl.RelativeTimeFormatUnit][]} */ (
    [[31557600, "year"], [2629800, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]]);
  for (const [size, unit] of steps) {
    if (Math.abs(s) >= size) return relative.format(Math.trunc(s / size), unit);
  }
  return relative.format(0, "second");
}

/** @type {Intl.DateTimeFormat | undefined} */
let dates;

/** @param {string | null | undefined} iso @returns {string} A date with its time. */
export function date(iso) {
  const at = iso ? Date.parse(iso) : NaN;
  if (!(at > 0)) return "–";
  dates ??= new Intl.DateTimeFormat(lang(), { dateStyle: "medium", timeStyle: "short" });
  return dates.format(at);
}

// Controls, characters that turn the direction of text, separators of lines, and characters
// without a width, except for those that join letters and emoji.
const unseen =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Returns text with the characters visible that nobody would see.
 * @param {string} text
 * @returns {string}
 */
export function visible(text) {
  return text.replace(unseen, (c) => {
    const code = c.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return "[U+" + code.toString(16).toUpperCase().padStart(4, "0") + "]";
  });
}
