// The tab of files: a tree with what is wanted, priorities, names, and ways to a file.
import { api } from "./api.js";
import { menu } from "./dialog.js";
import { h, icon, name, setAttr, setIcon, setText, show } from "./dom.js";
import { bytes, percent, visible } from "./format.js";
import { t } from "./i18n.js";
import { button, copy, did, fileURL, poll } from "./details-parts.js";
import { canPlay, kindOf, openPlayer } from "./play.js";
import { store } from "./store.js";
import { HIGH, LOW, NORMAL, SKIP, sums, Tree } from "./tree.js";
import { VirtualRows } from "./virtual.js";

/** @typedef {import("./tree.js").Node} Node */
/** @typedef {{node: Node | null, shown: string, open: HTMLButtonElement, check: HTMLInputElement,
 *   kind: SVGSVGElement, name: HTMLElement, size: HTMLElement, share: HTMLElement,
 *   fill: HTMLElement, priority: HTMLSelectElement, play: HTMLButtonElement}} Parts */

const page = 10_000; // entries of a folder in one answer
const firstPage = 300; // those of the first answer, so that there is something to see at once
const filesMax = 1_000_000; // entries that are asked for in all
const refreshMax = 1500; // entries of a folder that are asked for again
const priorities = /** @type {const} */ ([["skip", SKIP], ["low", LOW], ["normal", NORMAL], ["high", HIGH]]);

/** The priority that users know for a number. @param {number} n */
const known = (n) => (n <= SKIP ? SKIP : n < NORMAL ? LOW : n === NORMAL ? NORMAL : HIGH);

/** @param {import("./details-parts.js").Open} open @returns {import("./details-parts.js").Tab} */
export function files(open) {
  const view = new Files(open);
  return { element: view.element, close: () => view.close() };
}

class Files {
  tree = new Tree();
  /** @type {WeakMap<HTMLElement, Parts>} */
  parts = new WeakMap();
  /** @type {Set<Node>} folders that are on their way */
  loading = new Set();
  /** @type {Promise<void> | null} all files, for a search */
  whole = null;
  /** @type {Node | null} */
  renaming = null;
  /** @type {HTMLInputElement | null} */
  field = null;
  ready = false;
  turn = 0;
  closed = new AbortController();

  /** @param {import("./details-parts.js").Open} open */
  constructor(open) {
    this.open = open;
    this.heads = ["name", "size", "progress", "priority", ""].map((k) => h("div", {
      role: "columnheader", class: `dt-f-${k || "do"}${k === "size" ? " num" : ""}` }, ["name", "size", "progress"].includes(k) ?
      h("button", { class: "dt-sort", type: "button", text: t(`details.col.${k}`),
        on: { click: () => this.sort(k) } }) : k ? t(`details.col.${k}`) :
        h("span", { class: "visually-hidden", text: t("details.actions") })));
    this.grid = h("div", { class: "dt-tree", role: "treegrid", tabIndex: 0,
      "aria-label": t("details.tab.files"), "aria-multiselectable": "true", on: {
        keydown: (/** @type {KeyboardEvent} */ e) => this.key(e),
        focus: () => { if (!this.tree.focus && this.tree.rows().length) this.move(0, {}); } } },
    h("div", { role: "rowgroup", class: "dt-sticky" },
      h("div", { role: "row", class: "dt-file dt-heads", "aria-rowindex": 1 }, this.heads)));
    this.virtual = new VirtualRows({ scroller: this.grid, rowHeight: 34,
      create: () => this.create(), render: (i, row) => this.render(i, row) });
    this.search = h("input", { type: "search", class: "dt-grow", placeholder: t("details.searchFiles"),
      "aria-label": t("details.searchFiles"), spellcheck: false, on: { input: () => void this.find() } });
    this.sums = h("span", { class: "muted dt-sums", role: "status" });
    this.choice = h("select", { class: "dt-select", "aria-label": t("details.prioritySelected"),
      on: { change: () => this.give(Number(this.choice.value), this.tree.picked()) } },
    options("details.prioritySelected"));
    this.list = h("a", { class: "btn", download: "", title: t("details.listAbout") }, icon("start"),
      h("span", { class: "dt-wide", text: t("details.list") }));
    this.empty = h("p", { class: "dt-empty muted" });
    this.element = h("div", { class: "dt-fill" },
      h("div", { class: "dt-line dt-tools" }, this.search, this.list, this.sums, open.may && this.choice),
      this.empty, this.grid);
    this.touch = matchMedia("(pointer: coarse)");
    this.watch = new ResizeObserver(() => {
      const two = this.grid.clientWidth < 560;
      this.grid.classList.toggle("dt-narrow", two);
      this.virtual.setRowHeight(two ? 60 : this.touch.matches ? 44 : 34);
    });
    this.watch.observe(this.grid);
    this.sort("");
    this.poller = poll((signal) => this.refresh(signal), 2000, open.failed);
  }

  close() {
    this.closed.abort();
    this.watch.disconnect();
    this.poller.close();
    this.virtual.close();
  }

  get hash() { return (store.torrents.get(this.open.id) ?? this.open.details?.torrent)?.hash ?? ""; }

  /** @param {string} path @param {number} offset @param {number} limit */
  part(path, offset, limit) {
    return api.get(`${this.open.path}/files`, { path, offset, limit }, { signal: this.closed.signal });
  }

  /** Loads a folder, a page at a time. @param {Node} folder @param {Promise<any>} [first] */
  async load(folder, first) {
    if (this.loading.has(folder)) return;
    this.loading.add(folder);
    try {
      /** @type {import("./tree.js").Entry[]} */
      const entries = [];
      for (let total = 1; entries.length < Math.min(total, filesMax);) {
        const part = await (first ?? this.part(folder.path, entries.length, entries.length ? page : firstPage));
        first = undefined;
        if (!part.entries.length) break;
        entries.push(...part.entries);
        total = part.total;
        this.tree.load(folder, entries);
        this.all();
      }
    } finally {
      this.loading.delete(folder);
    }
  }

  /** Loads all files, which a search looks at. */
  async loadAll() {
    /** @type {any[]} */
    const list = [];
    for (let total = 1; list.length < Math.min(total, filesMax);) {
      const part = await api.get(`${this.open.path}/files`, { flat: true, limit: page,
        offset: list.length }, { signal: this.closed.signal });
      if (!part.entries.length) break;
      list.push(...part.entries);
      total = part.total;
    }
    this.tree.loadAll(list);
  }

  async find() {
    const text = this.search.value;
    if (text.trim()) {
      this.whole ??= this.loadAll();
      if (!await did(this.whole)) this.whole = null;
      if (this.search.value !== text || this.closed.signal.aborted) return;
    }
    this.tree.search(text);
    this.grid.scrollTop = 0;
    this.all();
  }

  /** Asks again for the rows that can be seen. @param {AbortSignal} signal */
  async refresh(signal) {
    if (!this.ready) {
      const details = this.open.details ?? await this.open.load();
      const info = store.torrents.get(this.open.id)?.["have-info"] ?? details.torrent["have-info"];
      show(this.empty, !info);
      setText(this.empty, t("details.noFiles"));
      if (!info) return;
      // Content of several files lies in a folder with the name of the torrent.
      const inside = this.part(details.torrent.name, 0, firstPage);
      inside.catch(() => {});
      await this.load(this.tree.root);
      this.ready = true;
      const [top, more] = this.tree.rows();
      if (!top?.folder || more) return;
      this.tree.toggle(top, true);
      await this.load(top, top.path === details.torrent.name ? inside : undefined);
      return;
    }
    this.turn++;
    /** @type {Map<Node, [number, number]>} */
    const spans = new Map();
    for (const row of this.virtual.rows.values()) {
      const node = this.parts.get(row)?.node;
      if (!node?.parent) continue;
      const [first, last] = spans.get(node.parent) ?? [node.order, node.order];
      spans.set(node.parent, [Math.min(first, node.order), Math.max(last, node.order)]);
    }
    for (const [folder, [first, last]] of spans) {
      const wide = last - first >= refreshMax; // in another order than that of the interface
      if (wide && this.turn % 10) continue;
      const part = await api.get(`${this.open.path}/files`, { path: folder.path, offset: first,
        limit: Math.min(last - first + 1, page) }, { signal });
      if (!this.tree.refresh(folder, part.entries)) await this.load(folder);
    }
    this.virtual.refresh();
  }

  /** Shows what has changed of the rows. */
  all() {
    const rows = this.tree.rows();
    this.virtual.setCount(rows.length);
    this.virtual.refresh();
    this.picked();
    if (this.ready) {
      show(this.empty, !rows.length);
      setText(this.empty, t("details.noMatch"));
    }
  }

  /** Shows what is selected. */
  picked() {
    const { tree } = this, nodes = tree.picked(), one = nodes.length === 1 && nodes[0];
    const s = sums(nodes.length ? nodes : [tree.root]);
    setText(this.sums, t(nodes.length ? "details.selected" : "details.allFiles",
      { n: s.files, size: bytes(s.size), wanted: bytes(s.wanted) }));
    this.choice.disabled = !nodes.length;
    this.choice.value = "";
    /** @type {Record<string, string | number>} */
    const at = one && one.folder ? { path: one.path } : one ? { index: one.index } : { path: "" };
    this.list.href = fileURL(this.hash, ["list.m3u"], at);
    const at2 = tree.focus ? tree.rows().indexOf(tree.focus) : -1;
    setAttr(this.grid, "aria-activedescendant", at2 < 0 ? null : `dt-file-${at2}`);
  }

  /** @param {string} order "": only says how it is sorted */
  sort(order) {
    const { tree } = this;
    if (order) {
      tree.sort(order, tree.order === order ? !tree.down : order === "size");
      this.all();
    }
    ["name", "size", "progress"].forEach((k, i) => setAttr(this.heads[i], "aria-sort",
      k !== tree.order ? "none" : tree.down ? "descending" : "ascending"));
  }

  /** Opens or closes a folder. @param {Node} node @param {boolean} open */
  async unfold(node, open) {
    this.tree.toggle(node, open);
    this.all();
    if (open && !node.children) await did(this.load(node));
  }

  create() {
    const parts = /** @type {Parts} */ ({ node: null, shown: "" });
    const of = (/** @type {(node: Node) => any} */ fn) => () => { if (parts.node) fn(parts.node); };
    parts.open = button("right", "", of((n) => void this.unfold(n, !n.open)), { tabIndex: -1, class: "dt-fold" });
    parts.check = h("input", { type: "checkbox", tabIndex: -1, disabled: !this.open.may,
      on: { change: of((n) => this.give(n.checked === "true" ? SKIP : NORMAL, [n])) } });
    parts.kind = icon("file");
    parts.name = h("span", { class: "dt-fname ellipsis" });
    parts.size = h("div", { role: "gridcell", class: "dt-f-size num" });
    parts.fill = h("span");
    parts.share = h("span", { class: "num" });
    parts.priority = h("select", { tabIndex: -1, class: "dt-select", "aria-label": t("details.col.priority"),
      disabled: !this.open.may, on: { change: of((n) => this.give(Number(parts.priority.value), [n])) } },
    options("details.mixed"));
    parts.play = button("start", t("details.play"), of((n) => this.play(n)), { tabIndex: -1 });
    const more = button("more", t("details.more"), of((n) => this.menu(n, more)), { tabIndex: -1 });
    more.setAttribute("aria-haspopup", "menu");
    const row = h("div", { role: "row", class: "dt-file", on: {
      click: (/** @type {MouseEvent} */ e) => this.click(e, parts.node),
      dblclick: (/** @type {MouseEvent} */ e) => {
        if (parts.node && !/** @type {Element} */ (e.target).closest("button, input, select")) this.enter(parts.node);
      },
      contextmenu: (/** @type {MouseEvent} */ e) => {
        if (!parts.node || /** @type {Element} */ (e.target).closest("input")) return;
        e.preventDefault();
        if (!this.tree.selected.has(parts.node)) this.tree.pick(parts.node);
        this.all();
        this.menu(parts.node, { x: e.clientX, y: e.clientY });
      } } },
    h("div", { role: "gridcell", class: "dt-f-name" }, parts.open, parts.check, parts.kind, parts.name),
    parts.size,
    h("div", { role: "gridcell", class: "dt-f-progress" }, h("div", { class: "bar" }, parts.fill), parts.share),
    h("div", { role: "gridcell", class: "dt-f-priority" }, parts.priority),
    h("div", { role: "gridcell", class: "dt-f-do" }, parts.play, more));
    this.parts.set(row, parts);
    return row;
  }

  /** @param {number} i @param {HTMLElement} row */
  render(i, row) {
    const node = this.tree.rows()[i], p = /** @type {Parts} */ (this.parts.get(row)), { folder } = node;
    const other = p.node !== node;
    p.node = node;
    row.id = `dt-file-${i}`;
    setAttr(row, "aria-level", node.depth + 1);
    setAttr(row, "aria-expanded", folder ? node.open || this.tree.words.length > 0 : null);
    setAttr(row, "aria-selected", this.tree.selected.has(node));
    row.classList.toggle("dt-focus", node === this.tree.focus);
    row.classList.toggle("dt-skip", node.checked === "false");
    row.style.setProperty("--depth", String(Math.min(node.depth, 24)));
    p.open.classList.toggle("dt-leaf", !folder);
    setAttr(p.open, "aria-label", folder ? t(node.open ? "details.close" : "details.open") : null);
    setIcon(/** @type {Element} */ (p.open.firstElementChild), node.open ? "sort-down" : "right");
    p.check.checked = node.checked === "true";
    p.check.indeterminate = node.checked === "mixed";
    setAttr(p.check, "aria-label", t("details.wanted", { name: visible(node.name) }));
    setIcon(p.kind, folder ? "folder" : "file");
    if (node === this.renaming && this.field) {
      if (this.field.parentElement !== p.name) p.name.replaceChildren(this.field);
      p.shown = "";
    } else if (other || p.shown !== node.name) {
      p.name.replaceChildren(name(p.shown = node.name));
      p.name.title = visible(node.name);
    }
    setText(p.size, bytes(node.size));
    p.fill.style.width = node.progress * 100 + "%";
    p.fill.parentElement?.classList.toggle("done", node.progress === 1);
    setText(p.share, percent(node.progress, 1));
    const value = node.priority === null ? "" : String(known(node.priority));
    if (p.priority.value !== value) p.priority.value = value;
    p.play.classList.toggle("dt-leaf", folder || !canPlay(node.name));
  }

  /** @param {MouseEvent} e @param {Node | null} node */
  click(e, node) {
    if (!node || /** @type {Element} */ (e.target).closest("button, input, select")) return;
    this.tree.pick(node, { toggle: e.ctrlKey || e.metaKey, range: e.shiftKey });
    this.all();
  }

  /** Opens a folder, or plays a file. @param {Node} node */
  enter(node) {
    if (node.folder) this.unfold(node, !node.open);
    else this.play(node);
  }

  /** @param {Node} n */
  play(n) { openPlayer({ hash: this.hash, index: n.index, name: n.name, size: n.size }); }

  /** Moves the keyboard to a row. @param {number} to @param {{range?: boolean, keep?: boolean}} how */
  move(to, how) {
    const rows = this.tree.rows(), i = Math.max(0, Math.min(to, rows.length - 1));
    if (!rows.length) return;
    this.tree.pick(rows[i], how);
    this.virtual.scrollTo(i);
    this.all();
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.target !== this.grid || e.altKey) return;
    const { tree } = this, rows = tree.rows(), node = tree.focus, at = node ? rows.indexOf(node) : -1;
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1,
      PageUp: at - this.virtual.page(), PageDown: at + this.virtual.page() }[e.key];
    const control = e.ctrlKey || e.metaKey;
    if (to !== undefined) this.move(to, { range: e.shiftKey, keep: control });
    else if (control && e.key.toLowerCase() === "a") {
      tree.pickAll();
      this.all();
    } else if (control || !node || !this.action(e, node, at)) return;
    e.preventDefault();
    e.stopPropagation();
  }

  /** Does what a key says to a row. @param {KeyboardEvent} e @param {Node} node @param {number} at */
  action(e, node, at) {
    const { may } = this.open, all = this.tree.selected.has(node) ? this.tree.picked() : [node];
    const step = { "+": 1, "-": -1 }[e.key];
    if (e.key === "ArrowRight" && node.folder) node.open ? this.move(at + 1, {}) : void this.unfold(node, true);
    else if (e.key === "ArrowLeft" && node.folder && node.open) void this.unfold(node, false);
    else if (e.key === "ArrowLeft" && node.parent?.parent) this.move(this.tree.rows().indexOf(node.parent), {});
    else if (e.key === "Enter") this.enter(node);
    else if (e.key === "ContextMenu" || (e.key === "F10" && e.shiftKey)) {
      this.menu(node, this.virtual.row(at) ?? this.grid);
    } else if (may && e.key === " ") this.give(node.checked === "true" ? SKIP : NORMAL, all);
    else if (may && e.key === "F2") this.rename(node);
    else if (may && step) {
      const now = priorities.findIndex(([, n]) => n === known(node.priority ?? NORMAL));
      this.give(priorities[Math.max(0, Math.min(now + step, 3))][1], all);
    } else return false;
    return true;
  }

  /** Gives nodes a priority. @param {number} priority @param {Node[]} nodes */
  give(priority, nodes) {
    if (!nodes.length || !Number.isFinite(priority)) return;
    this.tree.setPriority(nodes, priority);
    this.all();
    const folders = nodes.filter((n) => n.folder).map((n) => ({ path: n.path, priority }));
    const places = nodes.filter((n) => !n.folder).map((n) => n.index);
    const set = [...folders, ...(places.length ? [{ files: places, priority }] : [])];
    did(api.patch(`${this.open.path}/files`, { set })).then(() => this.poller.now());
  }

  /** @param {Node} node @param {Element | {x: number, y: number}} anchor */
  menu(node, anchor) {
    const { may } = this.open, { hash, tree } = this;
    const nodes = tree.selected.has(node) ? tree.picked() : [node];
    const get = (/** @type {string} */ url) => () => h("a", { href: url, download: "" }).click();
    const list = fileURL(hash, ["list.m3u"], node.folder ? { path: node.path } : { index: node.index });
    const media = node.folder || ["video", "audio"].includes(kindOf(node.name));
    menu(anchor, [
      ...(node.folder ? [] : [
        { label: t("details.play"), icon: "start", hint: "Enter", disabled: !canPlay(node.name),
          run: () => this.play(node) },
        { label: t("details.download"), icon: "down",
          run: get(fileURL(hash, [String(node.index), node.name], { download: 1 })) }]),
      { label: t("details.player"), icon: "link", disabled: !media, run: get(list) },
      { label: t("details.copyPath"), icon: "copy", run: () => void copy(node.path) },
      ...(may ? [{ label: t("details.rename"), icon: "edit", hint: "F2", run: () => this.rename(node) }, {},
        ...priorities.map(([key, n]) => ({ label: t(`details.priority.${key}`),
          checked: nodes.every((x) => x.priority !== null && known(x.priority) === n),
          run: () => this.give(n, nodes) }))] : []),
    ]);
  }

  /** Lets the user type another name for a row. @param {Node} node */
  rename(node) {
    const end = (/** @type {boolean} */ save) => {
      if (this.renaming !== node) return;
      const to = field.value;
      const focused = document.activeElement === field;
      this.renaming = this.field = null;
      this.virtual.refresh();
      if (focused) this.grid.focus();
      if (!save || !to.trim() || to === node.name || !node.parent) return;
      const { parent } = node;
      did(api.post(`${this.open.path}/rename`, { path: node.path, name: to })
        .then(() => { this.whole = null; return this.load(parent); })
        .then(() => (this.tree.words.length ? this.find() : undefined))
        .then(() => {
          const renamed = parent.byName?.get(to);
          if (renamed) this.move(this.tree.rows().indexOf(renamed), {});
        }));
    };
    const field = h("input", { type: "text", value: node.name, "aria-label": t("details.rename"),
      spellcheck: false, on: { blur: () => end(true), keydown: (/** @type {KeyboardEvent} */ e) => {
        if (e.key === "Enter" || e.key === "Escape") end(e.key === "Enter");
        else return;
        e.preventDefault();
        e.stopPropagation();
      } } });
    this.renaming = node;
    this.field = field;
    this.virtual.refresh();
    field.focus();
    const dot = node.folder ? -1 : node.name.lastIndexOf(".");
    field.setSelectionRange(0, dot > 0 ? dot : node.name.length);
  }
}

/** The options of a choice of priorities; the first is none of them. @param {string} first */
function options(first) {
  return [h("option", { value: "", text: t(first), disabled: true, hidden: true }),
    ...priorities.map(([key, n]) => h("option", { value: String(n), text: t(`details.priority.${key}`) }))];
}
