// @ts-check
// The language of the page, and its strings.
import { en } from "./strings-en.js";

/** @typedef {Record<string, string | {one?: string, few?: string, many?: string, other: string}>} Table */

const languages = ["en", "de"];

/** @param {string} key @returns {string} What is kept under a key, "" for nothing. */
export function kept(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // the browser keeps nothing for this page
  }
}

/** @param {string} key @param {string} value "" forgets the key. */
export function keep(key, value) {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // The browser keeps nothing for this page: the choice lasts until it is closed.
  }
}

function choose() {
  const wanted = [kept("lang"), ...(globalThis.navigator?.languages ?? [])];
  for (const one of wanted) {
    const short = one.slice(0, 2).toLowerCase();
    if (languages.includes(short)) return short;
  }
  return "en";
}

const language = choose();

/** @type {Table} */
let table = en;
if (language === "de") table = (await import("./strings-de.js")).de;
if (globalThis.document) document.documentElement.lang = language;

/** Numbers and dates follow the region of the browser if that speaks the language of the page. */
const locale = (globalThis.navigator?.languages ?? []).find(
  (one) => one.toLowerCase().startsWith(language)) ?? language;

/** @returns {string} The language of the page, for Intl. */
export function lang() {
  return locale;
}

/** @returns {"en" | "de" | ""} The language that the user chose; "" is that of the browser. */
export function chosenLang() {
  const chosen = kept("lang");
  return chosen === "en" || chosen === "de" ? chosen : "";
}

/**
 * Chooses a language; "" is that of the browser.
 * @param {"en" | "de" | ""} chosen
 */
export function setLang(chosen) {
  keep("lang", chosen);
  location.reload();
}

/** @type {Intl.PluralRules | undefined} */
let plurals;

/** @param {string} key @returns {boolean} Whether there is a string for the key. */
export function has(key) {
  return Object.hasOwn(table, key);
}

/**
 * Returns the string for a key, with values in the place of their names in braces. values.n
 * chooses between singular and plural.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values) {
  let text = Object.hasOwn(table, key) ? table[key] : Object.hasOwn(en, key) ? /** @type {Table} */ (en)[key] : key;
  if (typeof text !== "string") {
    plurals ??= new Intl.PluralRules(locale);
    text = text[/** @type {"one"} */ (plurals.select(Number(values?.n ?? 0)))] ?? text.other;
  }
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (all, key) => {
    const value = values[key];
    if (value === undefined) return all;
    return typeof value === "number" ? value.toLocaleString(locale) : value;
  });
}
