// @ts-check
// Elements and text. Text of strangers only ever becomes text nodes and attributes.
import { visible } from "./format.js";

/** @typedef {Node | string | number | null | undefined | false} Child */
/**
 * Properties of an element. `class`, `text`, `on`, and names with a hyphen, `role`, `for` and the
 * like are attributes; everything else is a property of the DOM. undefined leaves one out.
 * @typedef {Record<string, any>} Props
 */

const attributes = new Set(["role", "for", "scope", "list", "download", "tabindex", "colspan",
  "referrerpolicy"]);

/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (key === "class") el.className = value;
    else if (key === "text") el.textContent = value;
    else if (key === "on") {
      for (const [type, fn] of Object.entries(value)) el.addEventListener(type, /** @type {any} */ (fn));
    } else if (attributes.has(key) || key.includes("-")) {
      if (value !== false || key.startsWith("aria-")) el.setAttribute(key, String(value));
    } else /** @type {any} */ (el)[key] = value;
  }
  add(el, children);
  return el;
}

/**
 * Appends children to an element.
 * @param {Node} el
 * @param {(Child | Child[])[]} children
 */
export function add(el, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    el.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/**
 * Sets the text of an element if it is another one.
 * @param {Element} el
 * @param {string | number} text
 */
export function setText(el, text) {
  const s = String(text);
  const first = el.firstChild;
  if (first && !first.nextSibling && first.nodeType === Node.TEXT_NODE) {
    if (first.nodeValue !== s) first.nodeValue = s;
  } else if (first || s) el.textContent = s;
}

/**
 * Sets an attribute if it is another one; null removes it.
 * @param {Element} el
 * @param {string} key
 * @param {string | number | boolean | null} value
 */
export function setAttr(el, key, value) {
  if (value === null) {
    if (el.hasAttribute(key)) el.removeAttribute(key);
  } else if (el.getAttribute(key) !== String(value)) el.setAttribute(key, String(value));
}

/** @param {Element} el */
export function clear(el) {
  el.replaceChildren();
}

/**
 * @param {HTMLElement} el
 * @param {boolean} shown
 */
export function show(el, shown) {
  if (el.hidden === shown) el.hidden = !shown;
}

/**
 * Shows a name that a stranger chose: isolated from the direction of what stands around it, and
 * with the characters visible that nobody would see.
 * @param {string} text
 * @returns {HTMLElement}
 */
export function name(text) {
  return h("bdi", { text: visible(text) });
}

/** Lines of icons in a square of 16. @type {Record<string, string>} */
const icons = {
  add: "M8 3v10M3 8h10",
  start: "M5 3.5v9l7.5-4.5z",
  stop: "M5.5 3.5v9M10.5 3.5v9",
  remove: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.5 9h6l.5-9M7 7v4M9 7v4",
  check: "M3 8.5l3.5 3.5L13 4.5",
  verify: "M8 2l5 2v4c0 3-2.2 5-5 6-2.8-1-5-3-5-6V4zM5.7 8l1.7 1.7L10.5 6.5",
  down: "M8 2.5v9M4 8l4 4 4-4M3 14h10",
  up: "M8 12V3M4 6.5l4-4 4 4M3 14h10",
  queued: "M8 2.5a5.5 5.5 0 1 0 .01 0M8 5v3l2 1.5",
  error: "M8 2.5l6 11H2zM8 6.5v3M8 11.5v.1",
  stuck: "M8 2.5a5.5 5.5 0 1 0 .01 0M5.5 8h5",
  search: "M7 2.5a4.5 4.5 0 1 0 .01 0M10.3 10.3L14 14",
  close: "M4 4l8 8M12 4l-8 8",
  more: "M8 3.5v.1M8 8v.1M8 12.5v.1",
  menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
  filter: "M2.5 3.5h11L9.5 8.5v4l-3 1v-5z",
  settings: "M8 5.5a2.5 2.5 0 1 0 .01 0M8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4" +
    "M11.2 11.2l1.4 1.4M12.6 3.4l-1.4 1.4M4.8 11.2l-1.4 1.4",
  node: "M8 6a2 2 0 1 0 .01 0M8 1.5v3M8 10v4.5M3 4.5l3 2M10 9.5l3 2M13 4.5l-3 2M6 9.5l-3 2",
  share: "M12 2a2 2 0 1 0 .01 0M4 6a2 2 0 1 0 .01 0M12 10a2 2 0 1 0 .01 0M5.8 7l4.4-2.2" +
    "M5.8 9l4.4 2.2",
  link: "M6.5 9.5l3-3M7 5l1.5-1.5a2.8 2.8 0 0 1 4 4L11 9M9 11l-1.5 1.5a2.8 2.8 0 0 1-4-4L5 7",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  folder: "M2 4h4.5l1.5 1.5h6v7.5H2z",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  label: "M2.5 2.5h5.5l5.5 5.5-5.5 5.5-5.5-5.5zM5.5 5.5v.1",
  limit: "M2.5 11.5a5.5 5.5 0 1 1 11 0M8 11.5l2.5-4",
  tracker: "M8 7a1.5 1.5 0 1 0 .01 0M5 12a5 5 0 0 1 0-7M11 12a5 5 0 0 0 0-7M3 14a8 8 0 0 1 0-11" +
    "M13 14a8 8 0 0 0 0-11",
  left: "M10 3.5L5.5 8l4.5 4.5",
  right: "M6 3.5l4.5 4.5L6 12.5",
  "sort-up": "M4 10l4-4 4 4",
  "sort-down": "M4 6l4 4 4-4",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  help: "M8 1.8a6.2 6.2 0 1 0 .01 0M6 6.2a2 2 0 1 1 2.7 1.9c-.5.2-.7.5-.7 1.2M8 11.5v.1",
  edit: "M3 13l.7-3 7-7 2.3 2.3-7 7z",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3",
  out: "M6.5 2.5h-4v11h4M6 8h8M11 5l3 3-3 3",
  sun: "M8 5a3 3 0 1 0 .01 0M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1" +
    "M12.6 3.4l-1 1M4.4 11.6l-1 1",
};

/**
 * Makes an icon, which is only a picture: what it means stands beside it or in a label.
 * @param {string} id
 * @returns {SVGSVGElement}
 */
export function icon(id) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", icons[id] ?? "");
  svg.appendChild(path);
  return svg;
}

/**
 * Shows another icon in the place of one.
 * @param {Element} svg
 * @param {string} id
 */
export function setIcon(svg, id) {
  const path = svg.firstElementChild;
  if (path) setAttr(path, "d", icons[id] ?? "");
}
