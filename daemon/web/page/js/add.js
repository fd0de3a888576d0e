// @ts-check
// Adding torrents: links, hashes, URLs and files, with a look inside before the start.
import { api, Problem } from "./api.js";
import { toast } from "./dialog.js";
import { clear, h, icon, name, setText } from "./dom.js";
import { area, button, check, field, formDialog, input, PathField, sentence, session } from "./forms.js";
import { bytes } from "./format.js";
import { FileChoice } from "./add-files.js";
import { lang, t } from "./i18n.js";
import { parseLabels, parseSources } from "./sources.js";
import { store } from "./store.js";
import { parseSize } from "./units.js";

const FILE_MAX = 16 << 20;
const LABELS_SHOWN = 12;

/**
 * What the dialog adds: a source, or a file.
 * @typedef {object} Item
 * @property {string} key
 * @property {string} name
 * @property {string} [source]
 * @property {File} [file]
 * @property {string} hash
 * @property {string[]} trackers
 * @property {number} here the torrent that it is already, or 0
 * @property {string} error
 * @property {AbortController} [looking]
 * @property {any} [info] what is inside
 * @property {FileChoice} [files]
 * @property {HTMLElement} element
 */

/** @type {Adding | undefined} */
let current;

/**
 * Opens the dialog, or gives the open one more.
 * @param {{magnet?: string, files?: Iterable<File>}} [options]
 */
export async function openAdd(options = {}) {
  await session();
  if (!store.may("control")) return toast(t("add.mayNot"), { kind: "bad" });
  current ??= new Adding(() => { current = undefined; });
  if (options.magnet) current.take(options.magnet);
  if (options.files) current.takeFiles(options.files);
}

class Adding {
  /** @param {() => void} onClose */
  constructor(onClose) {
    /** @type {Map<string, Item>} */
    this.items = new Map();
    this.text = area("", { rows: 3, placeholder: "magnet:?xt=urn:btih:…", on: {
      paste: () => setTimeout(() => this.takeText()),
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
        else if (event.key === "Enter") setTimeout(() => this.takeText());
      },
      change: () => this.takeText(),
      input: () => this.sources.fail(""),
    } });
    const files = h("input", { type: "file", multiple: true, accept: ".torrent", hidden: true, on: {
      change: () => { this.takeFiles(files.files ?? []); files.value = ""; } } });
    this.sources = field(t("add.sources"), this.text, { help: t("add.sourcesHelp") });
    this.list = h("ul", { class: "fm-items", "aria-label": t("add.items") });
    this.said = h("p", { class: "muted fm-said", "aria-live": "polite" });
    this.options();
    const box = formDialog({
      title: t("add.title"),
      body: [this.sources.element, h("div", { class: "fm-row" }, files, h("button", {
        class: "btn", type: "button", on: { click: () => files.click() } }, icon("file"),
      t("add.choose")), h("span", { class: "muted fm-drop", text: t("add.drop") })),
      this.list, this.where(), this.said],
      actions: [{ label: t("dialog.cancel") },
        { label: t("add.add"), kind: "primary", submit: true, run: () => this.submit() }],
      onClose: () => {
        for (const item of this.items.values()) this.forget(item);
        onClose();
      },
    });
    this.close = box.close;
    this.form = /** @type {HTMLFormElement} */ (box.element.querySelector("form"));
    box.element.addEventListener("dragover", (event) => event.preventDefault());
    const bring = (/** @type {Event} */ event, /** @type {DataTransfer | null} */ data) => {
      event.preventDefault();
      event.stopPropagation();
      this.takeFiles(data?.files ?? []);
      this.take(data?.getData("text") ?? "");
    };
    box.element.addEventListener("drop", (event) => bring(event, event.dataTransfer));
    box.element.addEventListener("paste", (event) => {
      if (event.target instanceof Element && event.target.matches("input, textarea")) return;
      bring(event, event.clipboardData);
    });
    this.text.focus();
  }

  options() {
    this.path = new PathField(t("add.folder"), { space: true,
      placeholder: store.session?.dir ?? "" });
    this.start = check(t("add.start"), true);
    this.sequential = check(t("add.sequential"), false, t("add.sequentialHelp"));
    this.down = field(t("add.down"), input("", { inputMode: "decimal", placeholder: "∞" }));
    this.up = field(t("add.up"), input("", { inputMode: "decimal", placeholder: "∞" }),
      { help: t("add.rateHelp") });
    this.labels = field(t("add.labels"), input(), { help: t("add.labelsHelp"),
      after: this.knownLabels() });
    const start = this.start;
    api.get("/settings").then((s) => { start.control.checked = !s["add-paused"]; }).catch(() => {});
  }

  where() {
    return h("div", { class: "fm-stack" }, this.path?.element, this.labels?.element,
      this.start?.element, h("details", null, h("summary", { text: t("add.more") }),
        h("div", { class: "fm-stack" }, this.sequential?.element,
          h("div", { class: "fm-columns" }, this.down?.element, this.up?.element))));
  }

  /** Labels that torrents have, as buttons. */
  knownLabels() {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const row of store.torrents.values()) {
      for (const label of row.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, LABELS_SHOWN);
    return h("div", { class: "fm-chips" }, most.map(([label]) => h("button", {
      class: "chip", type: "button", on: { click: () => this.flipLabel(label) } }, name(label))));
  }

  /** @param {string} label */
  flipLabel(label) {
    const field = /** @type {HTMLInputElement} */ (this.labels?.control);
    const labels = parseLabels(field.value);
    field.value = (labels.includes(label) ? labels.filter((l) => l !== label) :
      [...labels, label]).join(", ");
  }

  /** Makes items of the lines that are sources. */
  takeText() {
    const { sources, bad } = parseSources(this.text.value);
    this.text.value = bad.join("\n");
    this.sources.fail(bad.length ? t("add.bad", { n: bad.length }) : "");
    for (const source of sources) this.add({ ...source, key: source.hash || source.source });
  }

  /** @param {string} text */
  take(text) {
    if (!text.trim()) return;
    this.text.value = `${this.text.value}\n${text}`.trim();
    this.takeText();
  }

  /** @param {Iterable<File>} files */
  takeFiles(files) {
    for (const file of files) {
      const item = this.add({ key: `${file.name} ${file.size} ${file.lastModified}`,
        name: file.name, file, hash: "", trackers: [] });
      if (file.size > FILE_MAX) item.error = t("add.tooBig");
      else this.look(item);
      this.render(item);
    }
  }

  /** @param {{key: string, name: string, source?: string, file?: File, hash: string,
   *   trackers: string[]}} what */
  add(what) {
    const old = this.items.get(what.key);
    if (old) return old;
    /** @type {Item} */
    const item = { ...what, here: hereAs(what.hash), error: "", element: h("li", { class: "fm-item" }) };
    this.items.set(item.key, item);
    this.list.append(item.element);
    this.render(item);
    return item;
  }

  /** @param {Item} item */
  forget(item) {
    item.looking?.abort();
    item.files?.close();
    item.element.remove();
    this.items.delete(item.key);
  }

  /** Finds out what is inside; a link waits for its metadata. @param {Item} item */
  async look(item) {
    const looking = item.looking = new AbortController();
    item.error = "";
    this.render(item);
    try {
      const options = { signal: looking.signal };
      const info = item.file ? await api.upload("/inspect", item.file, {}, options) :
        await api.post("/inspect", { source: item.source }, options);
      item.name = info.name || item.name;
      item.hash = info.hash;
      item.trackers = info.trackers;
      item.here = store.torrents.get(info.exists)?.temporary ? 0 : info.exists ?? 0;
      if (info.files.length > 0) item.info = info;
      else if (!item.here) item.error = t("add.noMetadata");
      if (item.info && !item.here) item.files = new FileChoice(info.files, () => this.sum(item));
    } catch (err) {
      if (!looking.signal.aborted) item.error = sentence(err);
    }
    item.looking = undefined;
    if (this.items.has(item.key)) this.render(item);
    else item.files?.close();
  }

  /** @param {Item} item */
  render(item) {
    const quiet = !item.here && !item.error;
    const remove = h("button", { class: "btn btn-icon", type: "button", title: t("add.remove"),
      "aria-label": `${t("add.remove")}: ${item.name}`, on: { click: () => {
        this.forget(item);
        this.text.focus();
      } } }, icon("close"));
    const state = h("span", { class: "fm-item-state" });
    if (item.looking) {
      state.append(h("span", { class: "muted", text: t(item.file ? "add.reading" : "add.waiting") }),
        button(t("add.stop"), () => item.looking?.abort(), "btn-small"));
    } else if (item.here) {
      state.append(icon("check"), h("a", { href: `#/torrent/${item.here}/overview`,
        text: t("add.here"), on: { click: () => this.close() } }));
      if (!store.torrents.get(item.here)?.private && (item.trackers.length || !item.hash)) {
        state.append(button(t("add.itsTrackers"), () => this.addTrackers(item), "btn-small"));
      }
    } else if (item.info) state.append(h("span", { class: "muted fm-sum" }));
    else if (!item.file) state.append(button(t("add.look"), () => this.look(item), "btn-small"));
    clear(item.element);
    item.element.append(h("div", { class: "fm-item-head" }, icon(item.file ? "file" : "link"),
      h("strong", null, name(item.name)), state, remove));
    if (item.error) item.element.append(h("p", { class: "fm-error", role: "alert", text: item.error }));
    if (item.files && quiet) item.element.append(this.choice(item, item.files));
    this.sum(item);
  }

  /** @param {Item} item @param {FileChoice} files */
  choice(item, files) {
    return h("details", { open: !item.file, on: { toggle: () => files.show() } },
      h("summary", { text: t("add.files") }),
      h("div", { class: "fm-row" },
        button(t("add.all"), () => files.setAll(true), "btn-small"),
        button(t("add.none"), () => files.setAll(false), "btn-small")), files.element);
  }

  /** Says how much of a torrent is wanted. @param {Item} item */
  sum(item) {
    const el = item.element.querySelector(".fm-sum");
    if (!el || !item.info) return;
    const { wanted = item.info.size, size = wanted } = item.files?.sums ?? {};
    const of = wanted === size ? bytes(size) : t("add.of", { wanted: bytes(wanted), size: bytes(size) });
    setText(el, `${of}, ${t("add.nFiles", { n: item.info.files.length })}` +
      (item.info.private ? `, ${t("add.private")}` : ""));
  }

  /** Gives the torrent that is there the trackers of a source. @param {Item} item */
  async addTrackers(item) {
    if (!item.hash || !item.trackers.length) {
      item.trackers = (await api.post("/inspect", { source: item.source })).trackers;
    }
    const { trackers } = await api.get(`/torrents/${item.here}/trackers`);
    /** @type {string[][]} */
    const tiers = [];
    for (const one of trackers) (tiers[one.tier] ??= []).push(one.url);
    const known = new Set(tiers.flat());
    const fresh = item.trackers.filter((url) => !known.has(url));
    await api.put(`/torrents/${item.here}/trackers`, { tiers: [...tiers.filter(Boolean),
      ...fresh.map((url) => [url])] });
    toast(t("add.trackersAdded", { n: fresh.length }), { kind: "good" });
    this.forget(item);
  }

  /** @returns {object | undefined} What holds for all items; nothing if a field is wrong. */
  common() {
    let ok = true;
    const rate = (/** @type {import("./forms.js").Field | undefined} */ field) => {
      const n = parseSize(field?.control.value ?? "", lang());
      field?.fail(Number.isNaN(n) ? t("node.wrong.rate") : "");
      if (Number.isNaN(n)) ok = false;
      return n;
    };
    const on = (/** @type {{control: HTMLInputElement} | undefined} */ field) => field?.control.checked;
    const options = { sequential: on(this.sequential), down: rate(this.down), up: rate(this.up),
      labels: parseLabels(this.labels?.control.value ?? "") };
    return ok ? { dir: this.path?.value || undefined, stopped: !on(this.start), options } : undefined;
  }

  /** Adds all items. Those that fail stay. @returns {Promise<boolean>} Whether nothing is left. */
  async submit() {
    this.takeText();
    const common = this.common();
    if (!common) return false;
    if (this.items.size === 0 && !this.text.value) {
      this.sources.fail(t("add.nothing"));
      this.text.focus();
      return false;
    }
    let added = 0;
    for (const item of [...this.items.values()]) {
      // Items are gone once the dialog was closed.
      if (item.here || !this.items.has(item.key) || (item.file?.size ?? 0) > FILE_MAX) continue;
      setText(this.said, t("add.adding", { name: item.name }));
      if (await this.send(item, common)) added++;
    }
    if (added) toast(t("add.added", { n: added }), { kind: "good" });
    const left = this.items.size + (this.text.value ? 1 : 0);
    setText(this.said, left ? t("add.left", { n: left }) : "");
    return left === 0;
  }

  /** @param {Item} item @param {object} common */
  async send(item, common) {
    if (item.files?.none) {
      item.error = t("add.noFiles");
      this.render(item);
      return false;
    }
    item.looking?.abort();
    const add = { ...common, choose: item.files?.choose() };
    try {
      if (item.file) await api.upload("/torrents", item.file, add);
      else await api.post("/torrents", { ...add, source: item.source });
      this.forget(item);
      return true;
    } catch (err) {
      if (err instanceof Problem && err.status === 409 && err.id) item.here = err.id;
      else if (err instanceof Problem && err.name === "dir") this.path?.field.fail(err.detail);
      item.error = item.here ? "" : sentence(err);
      this.render(item);
      return false;
    }
  }
}

/** @param {string} hash @returns {number} The torrent with that hash, or 0. */
function hereAs(hash) {
  if (hash) {
    for (const row of store.torrents.values()) if (row.hash === hash && !row.temporary) return row.id;
  }
  return 0;
}
