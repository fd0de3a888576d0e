// @ts-check
// Parts of forms: fields with help and errors, and paths of the machine of the node.
import { api, Problem } from "./api.js";
import { dialog, freshId, toast } from "./dialog.js";
import { clear, h, icon, name, setText, show } from "./dom.js";
export { copy } from "./details-parts.js";
import { bytes } from "./format.js";
import { t } from "./i18n.js";
import { onRoute } from "./router.js";
import { store } from "./store.js";

/** @param {unknown} err @returns {string} A sentence for users. */
export function sentence(err) {
  return err instanceof Problem ? err.detail : String(err);
}

/** Runs what a button does; what goes wrong is said. @param {() => any} fn */
export async function attempt(fn) {
  try {
    return await fn();
  } catch (err) {
    toast(sentence(err), { kind: "bad" });
    return false;
  }
}

/**
 * @param {string} label
 * @param {() => any} run
 * @param {string} [kind]
 * @returns {HTMLButtonElement} A button that is disabled while it works.
 */
export function button(label, run, kind = "") {
  const el = h("button", {
    class: `btn ${kind}`, type: "button", text: label,
    on: { click: async () => {
      el.disabled = true;
      await attempt(run);
      el.disabled = false;
    } },
  });
  return el;
}

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control */
/**
 * @typedef {object} Field
 * @property {HTMLElement} element
 * @property {Control} control
 * @property {(text: string) => void} fail shows an error; an empty one takes it away
 */

/**
 * Makes a field of a form.
 * @param {string} label
 * @param {Control} control
 * @param {{help?: string, after?: Node, box?: Node}} [more] box stands in place of the control
 * @returns {Field}
 */
export function field(label, control, more = {}) {
  control.id ||= freshId("fm");
  const helpId = `${control.id}-help`;
  const error = h("p", { class: "fm-error", id: `${control.id}-error`, role: "alert", hidden: true });
  const check = control instanceof HTMLInputElement && control.type === "checkbox";
  if (!check) control.classList.add("input");
  const text = h("label", { for: control.id, text: label });
  const described = more.help ? helpId : "";
  if (described) control.setAttribute("aria-describedby", described);
  return {
    control,
    element: h("div", { class: check ? "fm-check" : "field" }, check ? [control, text] :
      [text, more.box ?? control], more.help && h("p", { class: "fm-help", id: helpId, text: more.help }),
    more.after, error),
    fail(reason) {
      setText(error, reason);
      show(error, reason !== "");
      control.setAttribute("aria-invalid", String(reason !== ""));
      control.setAttribute("aria-describedby", `${described} ${reason ? error.id : ""}`.trim() || helpId);
    },
  };
}

/**
 * @param {string} label
 * @param {boolean} checked
 * @param {string} [help]
 * @returns {Field & {control: HTMLInputElement}}
 */
export function check(label, checked, help) {
  return /** @type {any} */ (field(label, h("input", { type: "checkbox", checked }), { help }));
}

/** @param {string} [value] @param {object} [more] @returns {HTMLInputElement} */
export function input(value = "", more) {
  return h("input", { type: "text", value, autocomplete: "off", autocapitalize: "none",
    spellcheck: false, ...more });
}

/** @param {string} [value] @param {object} [more] @returns {HTMLTextAreaElement} */
export function area(value = "", more) {
  return h("textarea", { value, rows: 2, autocapitalize: "none", spellcheck: false, ...more });
}

/** @param {string} title @param {...(Node | false | undefined | "")} rows */
export function card(title, ...rows) {
  return h("section", { class: "card fm-card" }, h("h2", { text: title }), rows);
}

/** @param {[string, Node | string | undefined][]} pairs @returns {HTMLElement} Names and values. */
export function facts(pairs) {
  return h("dl", { class: "fm-facts" }, pairs.filter(([, value]) => value !== undefined)
    .map(([key, value]) => [h("dt", { text: key }), h("dd", null, value)]).flat());
}

/**
 * Opens a dialog that ends when the user goes elsewhere or opens another one of them.
 * @param {Parameters<typeof dialog>[0]} options
 */
export function formDialog(options) {
  const others = /** @type {NodeListOf<HTMLDialogElement>} */ (document.querySelectorAll(".fm-dialog[open]"));
  for (const other of others) other.close();
  const off = onRoute((to) => { if (to.page === "torrent" || to.page === "node") box.close(); });
  const box = dialog({ ...options, class: "fm-dialog", onClose: () => {
    off();
    options.onClose?.();
  } });
  return box;
}

/** @returns {Promise<any>} The session, once it is known who asks. */
export function session() {
  if (store.session) return Promise.resolve(store.session);
  return new Promise((known) => {
    const off = store.on("session", (now) => {
      off();
      known(now);
    });
  });
}

/** Asks for what a folder has, at most once at a time. */
const listed = { dir: "\0", entries: /** @type {Entry[]} */ ([]) };
/** @typedef {{name: string, folder: boolean, size: number}} Entry */

/** A path on the machine of the node, with completion. */
export class PathField {
  /**
   * @param {string} label
   * @param {{value?: string, files?: boolean, space?: boolean, help?: string,
   *   placeholder?: string}} [options] files: not only folders; space: says what is free
   */
  constructor(label, options = {}) {
    this.options = options;
    /** @type {Entry[]} */
    this.entries = [];
    this.active = -1;
    this.dir = "";
    this.timer = 0;
    this.asking = new AbortController();
    this.list = h("div", { class: "fm-list", role: "listbox", id: freshId("fm"), hidden: true,
      "aria-label": label });
    this.input = input(options.value, {
      role: "combobox", "aria-expanded": false, "aria-autocomplete": "list",
      "aria-controls": this.list.id, placeholder: options.placeholder ?? "",
      on: {
        input: () => this.later(), keydown: (/** @type {KeyboardEvent} */ e) => this.key(e),
        blur: () => this.close(), change: () => this.showSpace(),
      },
    });
    this.space = h("p", { class: "fm-help", "aria-live": "polite" });
    const browse = h("button", { class: "btn btn-icon", type: "button", tabIndex: -1,
      "aria-label": t("add.browse"), title: t("add.browse"), on: {
        pointerdown: (/** @type {Event} */ e) => e.preventDefault(),
        click: () => { this.input.focus(); this.open(); } } }, icon("folder"));
    this.field = field(label, this.input, { help: options.help, after: options.space ? this.space :
      undefined, box: h("div", { class: "fm-path" }, this.input, browse, this.list) });
    this.element = this.field.element;
    this.showSpace();
  }

  get value() { return this.input.value.trim(); }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), 150);
  }

  /** Shows what the folder has that fits what was typed. */
  async open() {
    const text = this.input.value;
    this.dir = text.slice(0, text.lastIndexOf("/") + 1);
    const part = text.slice(this.dir.length).toLowerCase();
    this.asking.abort();
    this.asking = new AbortController();
    if (listed.dir !== this.dir) {
      try {
        const page = await api.get("/browse", { dir: this.dir || undefined },
          { signal: this.asking.signal });
        listed.dir = this.dir;
        listed.entries = page.entries;
      } catch (err) {
        if (err instanceof Problem) this.close();
        return;
      }
    }
    const fits = (/** @type {Entry} */ e) => e.name.toLowerCase().includes(part) &&
      (e.folder || this.options.files) && (part.startsWith(".") || !e.name.startsWith("."));
    this.entries = listed.entries.filter(fits).slice(0, 200);
    this.active = -1;
    clear(this.list);
    this.entries.forEach((e, i) => this.list.append(h("div", {
      role: "option", id: `${this.list.id}-${i}`, class: "fm-option", "aria-selected": false, on: {
        pointerdown: (/** @type {Event} */ event) => event.preventDefault(),
        click: () => this.take(i) },
    }, icon(e.folder ? "folder" : "file"), name(e.name), !e.folder && h("span", { class: "muted",
      text: bytes(e.size) }))));
    if (document.activeElement !== this.input) return;
    show(this.list, this.entries.length > 0);
    this.input.setAttribute("aria-expanded", String(this.entries.length > 0));
  }

  close() {
    clearTimeout(this.timer);
    listed.dir = "\0"; // what a folder has may change
    show(this.list, false);
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (this.list.hidden) this.open();
      else this.mark((this.active + step + this.entries.length) % this.entries.length);
    } else if (this.list.hidden) return;
    else if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && this.active >= 0) this.take(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} i */
  mark(i) {
    this.list.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = i;
    const option = this.list.children[i];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  /** @param {number} i */
  take(i) {
    const { name: path, folder } = this.entries[i];
    this.input.value = this.dir + path + (folder && !path.endsWith("/") ? "/" : "");
    this.input.dispatchEvent(new Event("change", { bubbles: true }));
    if (folder) this.open();
    else this.close();
  }

  async showSpace() {
    if (!this.options.space) return;
    if (!this.value && !this.options.placeholder) return setText(this.space, "");
    try {
      const space = await api.get("/space", { dir: this.value || undefined });
      setText(this.space, t("add.space", { free: bytes(space.free), total: bytes(space.total) }));
      this.field.fail("");
    } catch (err) {
      setText(this.space, "");
      if (this.value) this.field.fail(sentence(err));
    }
  }
}
