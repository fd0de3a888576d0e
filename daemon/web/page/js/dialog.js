// @ts-check
// Dialogs, menus and short messages.
import { h, icon } from "./dom.js";
import { t } from "./i18n.js";

let last = 0;

/** @param {string} prefix @returns {string} An id for an element. */
export function freshId(prefix) {
  return prefix + "-" + ++last;
}

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {"primary" | "danger" | ""} [kind]
 * @property {boolean} [submit] Enter in a field does the same
 * @property {() => any} [run] false, or a promise of it, keeps the dialog open
 */

/**
 * Opens a modal dialog.
 * @param {object} options
 * @param {string} options.title
 * @param {Node | string | (Node | string)[]} options.body
 * @param {Action[]} [options.actions]
 * @param {() => void} [options.onClose]
 * @param {string} [options.class]
 * @returns {{element: HTMLDialogElement, close: () => void}}
 */
export function dialog(options) {
  const titleId = freshId("dialog");
  const before = document.activeElement;
  const close = () => element.close();
  const buttons = (options.actions ?? []).map((action) => {
    const run = async () => {
      button.disabled = true;
      try {
        if ((await action.run?.()) !== false) close();
      } finally {
        button.disabled = false;
      }
    };
    const button = h("button", {
      class: "btn" + (action.kind ? " btn-" + action.kind : ""),
      type: action.submit ? "submit" : "button", text: action.label,
      on: action.submit ? {} : { click: run },
    });
    return { button, run, action };
  });
  const form = h("form", {
    class: "dialog-form", noValidate: true,
    on: {
      submit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const first = buttons.find((one) => one.action.submit);
        if (first && !first.button.disabled) first.run();
      },
    },
  },
  h("div", { class: "dialog-head" },
    h("h2", { id: titleId, text: options.title }),
    h("button", { class: "btn btn-icon", type: "button", "aria-label": t("dialog.close"), on: { click: close } },
      icon("close"))),
  h("div", { class: "dialog-body" }, options.body),
  buttons.length > 0 && h("div", { class: "dialog-foot" }, buttons.map((one) => one.button)));
  const element = h("dialog", {
    class: "dialog" + (options.class ? " " + options.class : ""), "aria-labelledby": titleId,
    on: {
      close: () => {
        element.remove();
        options.onClose?.();
        if (before instanceof HTMLElement && before.isConnected) before.focus();
      },
    },
  }, form);
  document.body.appendChild(element);
  element.showModal();
  const first = element.querySelector(`.dialog-body :is(input, select, textarea, button, a[href]):not([disabled])`) ??
    element.querySelector("[type=submit]");
  if (first instanceof HTMLElement && !element.querySelector("[autofocus]")) first.focus();
  return { element, close };
}

/**
 * Asks for a decision.
 * @param {object} options
 * @param {string} options.title
 * @param {Node | string | (Node | string)[]} options.text
 * @param {string} options.ok
 * @param {boolean} [options.danger]
 * @returns {Promise<boolean>}
 */
export function confirm(options) {
  return new Promise((resolve) => {
    let yes = false;
    dialog({
      title: options.title, body: h("div", { class: "dialog-text" }, options.text), class: "dialog-small",
      actions: [
        { label: t("dialog.cancel") },
        { label: options.ok, kind: options.danger ? "danger" : "primary", submit: true, run: () => void (yes = true) },
      ],
      onClose: () => resolve(yes),
    });
  });
}

/** @type {HTMLElement | undefined} */
let toasts;
const toastsMax = 4;

/**
 * Shows a short message for some seconds, and says it to screen readers.
 * @param {string} text
 * @param {{kind?: "good" | "bad" | "", seconds?: number}} [options]
 */
export function toast(text, options = {}) {
  toasts ??= document.body.appendChild(h("div", { class: "toasts", role: "status", "aria-live": "polite" }));
  // What stands in a modal dialog is all that can be reached: messages go on top of it.
  const top = [...document.querySelectorAll("dialog[open]")].pop() ?? document.body;
  if (toasts.parentElement !== top) top.appendChild(toasts);
  const bad = options.kind === "bad";
  const one = h("div", { class: "toast" + (options.kind ? " toast-" + options.kind : "") },
    h("span", { text }),
    h("button", { class: "btn btn-icon", type: "button", "aria-label": t("dialog.close"), on: { click: () => one.remove() } },
      icon("close")));
  while (toasts.childElementCount >= toastsMax) toasts.firstElementChild?.remove();
  toasts.appendChild(one);
  setTimeout(() => one.remove(), (options.seconds ?? (bad ? 12 : 5)) * 1000);
}

/**
 * @typedef {object} Item
 * @property {string} [label] an item without one is a line
 * @property {string} [icon]
 * @property {string} [hint] a key, say
 * @property {boolean} [checked] makes it an item with a mark
 * @property {boolean} [disabled]
 * @property {boolean} [danger]
 * @property {() => void} [run]
 */

/** @type {(() => void) | undefined} */
let closeMenu;

/**
 * Opens a menu at an element, or at a point.
 * @param {Element | {x: number, y: number}} anchor
 * @param {Item[]} items
 */
export function menu(anchor, items) {
  closeMenu?.();
  const before = document.activeElement;
  const buttons = items.map((item) => item.label === undefined ?
    h("hr", { role: "separator" }) :
    h("button", {
      class: "menu-item" + (item.danger ? " danger" : ""), type: "button", tabIndex: -1,
      role: item.checked === undefined ? "menuitem" : "menuitemcheckbox",
      "aria-checked": item.checked, disabled: item.disabled ?? false,
      on: { click: () => { close(); item.run?.(); } },
    }, item.checked === undefined ? icon(item.icon ?? "") : icon(item.checked ? "check" : ""),
    h("span", { class: "menu-label", text: item.label }), item.hint && h("kbd", { text: item.hint })));
  const able = () => /** @type {HTMLButtonElement[]} */ (
    buttons.filter((one) => one instanceof HTMLButtonElement && !one.disabled));
  const element = h("div", { class: "menu", role: "menu", tabIndex: -1 }, buttons);
  const close = () => {
    if (closeMenu !== close) return;
    closeMenu = undefined;
    element.remove();
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", close);
    if (anchor instanceof Element) anchor.removeAttribute("aria-expanded");
    if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
  };
  /** @param {Event} event */
  const outside = (event) => {
    if (!element.contains(/** @type {Node} */ (event.target))) close();
  };
  element.addEventListener("keydown", (event) => menuKey(event, able(), close));
  const top = anchor instanceof Element ? anchor.closest("dialog") : null;
  (top ?? document.querySelector("main") ?? document.body).appendChild(element);
  placeMenu(element, anchor);
  closeMenu = close;
  document.addEventListener("pointerdown", outside, true);
  addEventListener("resize", close);
  if (anchor instanceof Element) anchor.setAttribute("aria-expanded", "true");
  (able()[0] ?? element).focus({ preventScroll: true });
}

/** @param {KeyboardEvent} event @param {HTMLButtonElement[]} able @param {() => void} close */
function menuKey(event, able, close) {
  const at = able.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
  event.stopPropagation();
  let next = -1;
  if (event.key === "ArrowDown") next = (at + 1) % able.length;
  else if (event.key === "ArrowUp") next = (at - 1 + able.length) % able.length;
  else if (event.key === "Home") next = 0;
  else if (event.key === "End") next = able.length - 1;
  else if (event.key === "Escape" || event.key === "Tab") close();
  else if (event.key.length === 1 && event.key !== " ") {
    const from = able.slice(at + 1).concat(able.slice(0, at + 1));
    const found = from.find((one) => one.textContent?.toLowerCase().startsWith(event.key.toLowerCase()));
    if (found) next = able.indexOf(found);
  } else return;
  event.preventDefault();
  able[next]?.focus();
}

/**
 * @param {HTMLElement} element
 * @param {Element | {x: number, y: number}} anchor
 */
function placeMenu(element, anchor) {
  const box = element.getBoundingClientRect();
  let { x, y } = anchor instanceof Element ? { x: 0, y: 0 } : anchor;
  if (anchor instanceof Element) {
    const at = anchor.getBoundingClientRect();
    x = at.left;
    y = at.bottom + 4;
    if (y + box.height > innerHeight - 8 && at.top - box.height - 4 > 8) y = at.top - box.height - 4;
  }
  element.style.left = Math.max(8, Math.min(x, innerWidth - box.width - 8)) + "px";
  element.style.top = Math.max(8, Math.min(y, innerHeight - box.height - 8)) + "px";
}
