// @ts-check
// The settings of the daemon as fields of a form. Nothing here touches the page.

import { parseNumber, parseSize, parseTime, showNumber, showSize, showTime } from "./units.js";

/**
 * @typedef {"folder" | "lines" | "command" | "size" | "rate" | "time" | "ratio" | "count" |
 *   "port" | "flag" | "text"} Kind
 * @typedef {string | number | boolean | string[]} Value
 * @typedef {Record<string, any>} Settings
 */

/** Kinds whose text has a line for each item. */
const LISTS = ["lines", "command"];

/** What each setting is, by its name in the API. The strings node.set.NAME describe it. */
export const KINDS = /** @type {Record<string, Kind>} */ ({
  "dir": "folder", "incomplete-dir": "folder", "root": "lines", "watch": "lines",
  "min-free": "size",
  "add-paused": "flag", "queue-downloads": "count", "queue-seeds": "count",
  "queue-stalled": "time",
  "seed-ratio": "ratio", "seed-time": "time", "seed-idle": "time",
  "port": "port", "max-peers": "count", "torrent-peers": "count", "dht": "flag", "pex": "flag",
  "lsd": "flag", "default-tracker": "lines", "blocklist": "lines",
  "on-added": "command", "on-complete": "command", "on-error": "command",
  "down": "rate", "up": "rate", "alt": "flag", "alt-down": "rate", "alt-up": "rate",
  "alt-schedule": "text",
});

/** The sections of the tab settings. The rest is on the tab limits. */
export const SECTIONS = /** @type {Record<string, string[]>} */ ({
  folders: ["dir", "incomplete-dir", "root", "watch", "min-free"],
  queue: ["add-paused", "queue-downloads", "queue-seeds", "queue-stalled"],
  goals: ["seed-ratio", "seed-time", "seed-idle"],
  network: ["port", "max-peers", "torrent-peers", "dht", "pex", "lsd", "default-tracker",
    "blocklist"],
  commands: ["on-added", "on-complete", "on-error"],
});

/** Settings that the user of the daemon alone changes, over its socket. */
export const OWNERS = ["root", "on-added", "on-complete", "on-error"];

/** Settings that make no sense in a single run, which refuses them. */
export const LASTING = ["incomplete-dir", "watch", "queue-downloads", "queue-seeds", "queue-stalled",
  "seed-ratio", "seed-time", "seed-idle", "on-added", "on-complete", "on-error"];

/**
 * Writes a value as the text of its field. Numbers for which 0 means none are empty then.
 * @param {Kind} kind
 * @param {any} value
 * @param {string} lang
 * @returns {string}
 */
export function show(kind, value, lang) {
  if (LISTS.includes(kind)) return (value ?? []).join("\n");
  if (kind === "size" || kind === "rate") return showSize(value, lang);
  if (kind === "time") return showTime(value, lang);
  if (typeof value === "number") return value === 0 ? "" : showNumber(value, lang);
  return String(value ?? "");
}

/**
 * Reads the text of a field.
 * @param {Kind} kind
 * @param {string} text
 * @param {string} lang
 * @returns {{value: Value} | {wrong: Kind}}
 */
export function read(kind, text, lang) {
  const s = text.trim();
  if (LISTS.includes(kind)) {
    return { value: s.split("\n").map((line) => line.trim()).filter(Boolean) };
  }
  if (kind === "folder" || kind === "text") return { value: s };
  let n = s === "" ? 0 : parseNumber(s, lang);
  if (kind === "size" || kind === "rate") n = parseSize(s, lang);
  if (kind === "time") n = parseTime(s, lang);
  if (kind === "count" || kind === "port") n = Number.isInteger(n) ? n : NaN;
  return Number.isNaN(n) || (kind === "port" && n > 65535) ? { wrong: kind } : { value: n };
}

/**
 * Returns the settings of a form that are not as they were.
 * @param {Settings} before
 * @param {Settings} after
 * @returns {Settings}
 */
export function changes(before, after) {
  const same = (/** @type {any} */ a, /** @type {any} */ b) =>
    JSON.stringify(a) === JSON.stringify(b);
  return Object.fromEntries(Object.entries(after).filter(([name, v]) => !same(v, before[name])));
}
