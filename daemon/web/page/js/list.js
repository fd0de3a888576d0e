// @ts-check
// The list of torrents: its rows, what is selected in it, and the tools for that.
import { bulk, itemsOf, remove } from "./actions.js";
import { cardOf, cellsOf, columns, fitting, usual } from "./columns.js";
import { menu } from "./dialog.js";
import { clear, h, icon, setAttr, setText, show } from "./dom.js";
import { Listing, anything, isAnything } from "./filter.js";
import { bytes } from "./format.js";
import { keep, kept, lang, t } from "./i18n.js";
import { go, onRoute, route } from "./router.js";
import { Selection } from "./select.js";
import { store } from "./store.js";
import { VirtualRows } from "./virtual.js";

/** @typedef {import("./filter.js").Filter} Filter */

const rowHeight = 36;
const cardHeight = 66;
/** Narrower lists have cards, in CSS pixels. */
const cardsBelow = 560;
/** How long a finger rests on a row to select it, in milliseconds. */
const longPress = 450;

/** @param {string} text @param {any} otherwise */
function parsed(text, otherwise) {
  try {
    return JSON.parse(text) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** @param {string} id */
const columnOf = (id) => columns.find((one) => one.id === id) ?? columns[0];

/**
 * A button with a picture.
 * @param {string} key of its string
 * @param {string} sign
 * @param {() => void} run
 * @param {string} [hint] the key that does the same
 */
function tool(key, sign, run, hint) {
  const text = t("list." + key);
  return h("button", {
    class: "btn btn-icon", type: "button", "aria-label": text, title: text + (hint ? ` (${hint})` : ""), on: { click: run },
  }, icon(sign));
}

export class ListView {
  /**
   * @param {HTMLElement} container
   * @param {{tools: HTMLElement, add: () => void, share: (what: {id?: number}) => void,
   *   openFilters: () => void}} options
   */
  constructor(container, options) {
    this.options = options;
    const sort = parsed(kept("sort"), {});
    this.sort = { id: columnOf(sort.id ?? "added").id, down: sort.down ?? true };
    /** @type {string[]} */
    this.wanted = parsed(kept("columns"), usual);
    if (!Array.isArray(this.wanted)) this.wanted = usual;
    const key = columnOf(this.sort.id).key;
    this.listing = new Listing(key, new Intl.Collator(lang(), { numeric: true, sensitivity: "base" }));
    this.listing.setSort(key, this.sort.down);
    this.selection = new Selection({
      count: () => this.listing.view.length,
      idAt: (i) => this.listing.view[i].row.id,
      indexOf: (id) => this.listing.indexOf(id),
    });
    /** Whether a tap selects: on a screen without a mouse. */
    this.selecting = false;
    /** @type {(() => void)[]} */
    this.followers = [];
    this.loaded = false;
    /** @type {WeakMap<HTMLElement, ReturnType<typeof cellsOf>>} */
    this.fills = new WeakMap();
    this.cards = false;
    this.shown = columns;
    /** Whether a finger has just selected a row, which is no click. */
    this.pressed = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.saying = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.leading = undefined;
    this.head = h("div", { role: "row", class: "ls-head", "aria-rowindex": 1 });
    this.headGroup = h("div", { role: "rowgroup", class: "ls-head-group" }, this.head);
    this.grid = h("div", {
      class: "ls-grid", role: "grid", tabIndex: 0, "aria-label": t("list.torrents"), "aria-multiselectable": "true", id: "list",
      on: { keydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event), focus: () => this.onFocus() },
    }, this.headGroup);
    this.empty = h("div", { class: "ls-empty" });
    this.chips = h("div", { class: "ls-chips", hidden: true });
    this.live = h("div", { class: "visually-hidden", role: "status" });
    this.rows = new VirtualRows({
      scroller: this.grid, rowHeight, render: (i, el) => this.render(i, el), create: () => this.createRow(),
      placed: () => this.pointCursor(),
    });
    this.search = h("input", {
      type: "search", class: "input", id: "search", placeholder: t("list.search"), "aria-label": t("list.search"),
      autocomplete: "off", spellcheck: false,
      on: {
        input: () => this.setFilter({ ...this.listing.filter, text: this.search.value }),
        keydown: (/** @type {KeyboardEvent} */ event) => this.onSearchKey(event),
      },
    });
    const more = tool("actions", "more", () => this.openMenu(more));
    setAttr(more, "aria-haspopup", "menu");
    this.acting = [
      tool("start", "start", () => this.act("start"), "S"), tool("stop", "stop", () => this.act("stop"), "P"),
      tool("remove-ask", "remove", () => this.remove(), t("key.delete")), more,
    ];
    this.picker = tool("select", "check", () => this.setSelecting(!this.selecting));
    this.build(container);
    store.on("rows", (ids) => this.changed(ids));
    store.on("removed", (ids) => this.removed(ids));
    store.on("reset", () => this.reset());
    store.on("stats", () => this.ready());
    store.on("session", () => this.tell());
    onRoute(() => this.toRoute());
    this.toRoute();
  }

  /** Fills the container. @param {HTMLElement} container */
  build(container) {
    container.append(this.chips, this.grid, this.empty, this.live);
    const on = this.rows.body.addEventListener.bind(this.rows.body);
    on("click", (event) => this.onClick(event));
    on("dblclick", (event) => this.onOpen(event));
    on("contextmenu", (event) => this.onContext(event));
    on("pointerdown", (event) => this.onPress(event));
    new ResizeObserver(() => this.layOut()).observe(this.grid);
    const view = tool("view", "columns", () => this.viewMenu(view));
    setAttr(view, "aria-haspopup", "menu");
    const filters = tool("filters", "filter", () => this.options.openFilters());
    filters.classList.add("ls-open-filters");
    this.picker.classList.add("ls-picker");
    this.options.tools.append(filters, h("div", { class: "ls-search" }, icon("search"), this.search),
      h("div", { class: "ls-acting", role: "toolbar", "aria-label": t("list.actions") }, this.acting), this.picker, view);
    this.tellActing();
    this.ready();
  }

  /** @param {() => void} fn is told when what is selected or shown has changed */
  follow(fn) {
    this.followers.push(fn);
  }

  tell() {
    this.tellActing();
    for (const fn of this.followers) fn();
  }

  tellActing() {
    const some = this.selection.ids.size > 0;
    const may = store.may("control");
    this.acting?.forEach((button, i) => (button.disabled = !some || (!may && i < 3)));
    document.body.classList.toggle("ls-some", some);
    this.picker?.setAttribute("aria-pressed", String(this.selecting));
  }

  /** Chooses columns or cards for the room that there is. */
  layOut() {
    const width = this.grid.clientWidth;
    if (!width) return;
    const cards = width < cardsBelow;
    const shown = cards ? [] : fitting(this.wanted, width - 24);
    if (cards === this.cards && shown.length === this.shown.length && shown.every((one, i) => one === this.shown[i])) return;
    this.cards = cards;
    this.shown = shown;
    this.grid.classList.toggle("ls-cards", cards);
    this.grid.style.setProperty("--columns",
      shown.map((one) => (one.id === "name" ? "minmax(0, 560fr)" :
        `minmax(${one.width}px, ${Math.round(one.width * 0.7)}fr)`)).join(" "));
    setAttr(this.grid, "aria-colcount", cards ? 1 : shown.length);
    this.buildHead();
    for (const row of this.rows.rows.values()) this.dress(row);
    for (const row of this.rows.spare) this.dress(row);
    this.rows.setRowHeight(cards ? cardHeight : rowHeight);
    this.rows.refresh();
  }

  buildHead() {
    clear(this.head);
    show(this.headGroup, !this.cards);
    this.head.append(...this.shown.map((column) => {
      const sorted = column.id === this.sort.id;
      return h("div", {
        role: "columnheader", class: "ls-cell" + (column.num ? " num" : ""),
        "aria-sort": sorted ? (this.sort.down ? "descending" : "ascending") : "none",
      }, h("button", { type: "button", class: "ls-sort", on: { click: () => this.sortBy(column.id) } },
        h("span", { class: "ellipsis", text: t("column." + column.id) }),
        sorted && icon(this.sort.down ? "sort-down" : "sort-up")));
    }));
  }

  /** Sorts by a column, the other way round if it is that one already. @param {string} id */
  sortBy(id) {
    const column = columnOf(id);
    const down = id === this.sort.id ? !this.sort.down : column.down === true;
    const button = document.activeElement?.closest(".ls-head button");
    this.sort = { id, down };
    keep("sort", JSON.stringify(this.sort));
    this.listing.setSort(column.key, down);
    this.buildHead();
    if (button) /** @type {HTMLElement | null} */ (this.head?.querySelector("[aria-sort$=cending] button"))?.focus();
    this.arranged();
  }

  createRow() {
    const row = h("div", { role: "row", class: "ls-row" });
    this.dress(row);
    return row;
  }

  /** Gives a row its cells. @param {HTMLElement} row */
  dress(row) {
    const made = this.cards ? cardOf() : cellsOf(this.shown);
    this.fills.set(row, made);
    row.replaceChildren(...made.cells);
  }

  /** @param {number} i @param {HTMLElement} el */
  render(i, el) {
    const row = this.listing.at(i);
    if (!row) return;
    el.dataset.id = String(row.id);
    if (el.id !== "ls-" + row.id) el.id = "ls-" + row.id;
    this.fills.get(el)?.fill(row);
    this.mark(row.id, el);
  }

  /** Shows whether a row is selected. @param {number} id @param {HTMLElement} el */
  mark(id, el) {
    setAttr(el, "aria-selected", this.selection.ids.has(id));
    el.classList.toggle("cursor", id === this.selection.cursor);
  }

  /** Shows another selection. */
  marked() {
    for (const [i, el] of this.rows.rows) {
      const row = this.listing.at(i);
      if (row) this.mark(row.id, el);
    }
    this.pointCursor();
    this.tell();
  }

  /** Names the row with the cursor for screen readers. */
  pointCursor() {
    const at = this.selection.cursor ? this.selection.index() : -1;
    const here = at >= 0 && this.rows.row(at) !== undefined;
    setAttr(this.grid, "aria-activedescendant", here ? "ls-" + this.listing.view[at].row.id : null);
  }

  /** Shows another order, or others. */
  arranged() {
    this.rows.setCount(this.listing.view.length);
    this.rows.refresh();
    this.pointCursor();
    this.showEmpty();
    this.tell();
  }

  /** @param {number[]} ids */
  changed(ids) {
    const rows = [];
    for (const id of ids) {
      const row = store.torrents.get(id);
      if (row) rows.push(row);
    }
    const first = this.listing.entries.size === 0;
    if (this.listing.update(rows)) {
      this.rows.setCount(this.listing.view.length);
      this.rows.refresh();
      this.pointCursor();
      this.showEmpty();
    } else {
      const now = new Set(ids);
      for (const [i, el] of this.rows.rows) {
        const row = this.listing.at(i);
        if (row && now.has(row.id)) this.render(i, el);
      }
    }
    if (first) this.toRoute();
    this.tell();
  }

  /** @param {number[]} ids */
  removed(ids) {
    const index = this.selection.index();
    this.selection.remove(ids);
    const lost = ids.includes(this.selection.cursor);
    this.listing.remove(ids);
    if (lost) {
      this.selection.place = Math.max(0, index);
      this.selection.cursor = this.listing.at(this.selection.index())?.id ?? 0;
    }
    if (route().page === "torrent" && ids.includes(route().id)) go("/", { replace: true });
    this.arranged();
  }

  reset() {
    const before = this.selection.ids;
    this.listing.clear();
    this.listing.update(store.torrents.values());
    this.selection.ids = new Set([...before].filter((id) => store.torrents.has(id)));
    this.ready();
    this.arranged();
  }

  /** Says that there is nothing, once that is known. */
  ready() {
    if (store.stats && !this.loaded) {
      this.loaded = true;
      this.showEmpty();
    }
  }

  showEmpty() {
    const none = this.listing.view.length === 0;
    const all = this.listing.entries.size;
    const expected = Object.values(store.stats?.torrents ?? {}).reduce((a, b) => a + Number(b), 0);
    const kind = !none ? "" : all ? "filter" : this.loaded && !expected ? "new" : "wait";
    show(this.empty, none);
    show(this.grid, !none || kind === "wait");
    if (this.empty.dataset.kind === kind) return;
    this.empty.dataset.kind = kind;
    clear(this.empty);
    if (kind === "filter") {
      this.empty.append(icon("search"), h("p", { text: t("list.none-fit") }),
        h("button", { class: "btn", type: "button", text: t("list.show-all"), on: { click: () => this.setFilter(anything()) } }));
    } else if (kind === "new") {
      this.empty.append(h("img", { src: "icon.svg", alt: "", width: 56, height: 56 }), h("h1", { text: t("list.empty") }),
        h("p", { class: "muted", text: t("list.empty-hint") }),
        h("button", { class: "btn btn-primary", type: "button", on: { click: this.options.add } }, icon("add"), t("list.add")),
        h("button", { class: "btn", type: "button", on: { click: () => this.options.share({}) } }, icon("share"), t("list.share")));
    }
  }

  /** @param {Filter} filter */
  setFilter(filter) {
    if (this.search.value !== filter.text) this.search.value = filter.text;
    this.listing.setFilter(filter);
    this.grid.scrollTop = 0;
    this.showChips();
    this.arranged();
    clearTimeout(this.saying);
    this.saying = setTimeout(() => setText(this.live, isAnything(filter) ? "" :
      t("list.n-fit", { n: this.listing.view.length })), 500);
  }

  /** Shows what is filtered by, where the sidebar may be out of sight. */
  showChips() {
    const filter = this.listing.filter;
    clear(this.chips);
    for (const group of /** @type {import("./filter.js").Group[]} */ (["status", "activity", "label", "tracker", "dir"])) {
      for (const value of filter[group]) {
        const text = valueText(group, value);
        this.chips.append(h("button", {
          class: "chip ls-chip", type: "button", "aria-label": t("list.unfilter", { value: text }),
          on: { click: () => this.setFilter({ ...filter, [group]: filter[group].filter((one) => one !== value) }) },
        }, h("bdi", { class: "ellipsis", text }), icon("close")));
      }
    }
    show(this.chips, this.chips.childElementCount > 0);
  }

  /** Follows the address to a torrent. */
  toRoute() {
    const { page, id } = route();
    if (page !== "torrent" || id === this.selection.cursor) return;
    const at = this.listing.indexOf(id);
    if (at < 0) return;
    this.selection.moveTo(at, { keep: this.cards });
    this.rows.scrollTo(at);
    this.marked();
  }

  /** Shows the details of a torrent. @param {number} id */
  open(id) {
    const at = route();
    go(`/torrent/${id}/${at.page === "torrent" ? at.tab : "overview"}`);
  }

  /** If details are shown, they follow the cursor. */
  lead() {
    clearTimeout(this.leading);
    this.leading = setTimeout(() => {
      const at = route();
      const id = this.selection.cursor;
      if (at.page === "torrent" && id && at.id !== id && !this.cards) go(`/torrent/${id}/${at.tab}`, { replace: true });
    }, 120);
  }

  onFocus() {
    if (!this.selection.cursor) {
      const row = this.listing.at(this.selection.index());
      if (row) this.selection.cursor = row.id;
    }
    this.marked();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.target !== this.grid || event.altKey) return;
    const mods = { ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const at = this.selection.index();
    if (this.selection.key(key, mods, this.rows.page())) {
      const now = this.selection.index();
      if (now >= 0 && now !== at) this.rows.scrollTo(now);
      this.marked();
      this.lead();
    } else if (key === "Escape" && this.selection.ids.size && route().page !== "torrent") {
      this.selection.none();
      this.marked();
    } else if (key === "Enter" && at >= 0) this.open(this.listing.view[at].row.id);
    else if (key === "Delete") this.remove();
    else if (key === "ContextMenu" || (key === "F10" && mods.shift)) {
      const el = this.rows.row(at)?.getBoundingClientRect();
      if (el) this.openMenu({ x: el.left + 40, y: el.bottom });
    } else if (!mods.ctrl && key === "s") this.act("start");
    else if (!mods.ctrl && key === "p") this.act("stop");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {KeyboardEvent} event */
  onSearchKey(event) {
    if (event.key === "Escape" && this.search.value) {
      event.stopPropagation();
      this.setFilter({ ...this.listing.filter, text: "" });
    } else if (event.key === "ArrowDown" || event.key === "Enter") this.focus();
    else return;
    event.preventDefault();
  }

  focus() {
    this.grid.focus();
  }

  /** @param {Event} event @returns {number} The place of the row of an event, -1 for none. */
  indexOf(event) {
    const el = /** @type {Element} */ (event.target).closest("[data-id]");
    return el instanceof HTMLElement ? this.listing.indexOf(Number(el.dataset.id)) : -1;
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const i = this.indexOf(event);
    if (i < 0 || this.pressed) {
      this.pressed = false;
      return;
    }
    if (this.selecting) {
      this.selection.toggle(i);
      this.selecting = this.selection.ids.size > 0;
    } else if (this.cards && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      this.selection.moveTo(i, { keep: true });
      this.open(this.listing.view[i].row.id);
    } else this.selection.click(i, { ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey });
    this.marked();
    this.lead();
  }

  /** @param {MouseEvent} event */
  onOpen(event) {
    const i = this.indexOf(event);
    if (i >= 0 && !this.selecting) this.open(this.listing.view[i].row.id);
  }

  /** A finger that rests on a row selects it. @param {PointerEvent} event */
  onPress(event) {
    this.pressed = false;
    if (event.pointerType === "mouse") return;
    const i = this.indexOf(event);
    if (i < 0) return;
    const timer = setTimeout(() => {
      this.pressed = true;
      this.setSelecting(true);
      this.selection.toggle(i);
      this.marked();
    }, longPress);
    const stop = () => {
      clearTimeout(timer);
      for (const type of ["pointerup", "pointercancel", "pointerleave"]) removeEventListener(type, stop, true);
    };
    for (const type of ["pointerup", "pointercancel", "pointerleave"]) addEventListener(type, stop, true);
  }

  /** @param {boolean} selecting */
  setSelecting(selecting) {
    this.selecting = selecting;
    this.selection.none();
    for (const [i, el] of this.rows.rows) this.render(i, el);
    this.tell();
  }

  /** @param {MouseEvent} event */
  onContext(event) {
    event.preventDefault();
    const i = this.indexOf(event);
    if (i < 0 || this.selecting || this.pressed) return;
    if (!this.selection.ids.has(this.listing.view[i].row.id)) this.selection.moveTo(i);
    this.marked();
    this.openMenu({ x: event.clientX, y: event.clientY });
  }

  /** The selected torrents, in the order of the list. @returns {number[]} */
  ids() {
    return this.listing.all.map((entry) => entry.row.id).filter((id) => this.selection.ids.has(id));
  }

  /** @param {Element | {x: number, y: number}} anchor */
  openMenu(anchor) {
    menu(anchor, itemsOf(this.ids(), this.options.share));
  }

  /** @param {string} action */
  act(action) {
    const ids = this.ids();
    if (ids.length && store.may("control")) bulk(ids, action);
  }

  remove() {
    const ids = this.ids();
    if (ids.length && store.may("control")) remove(ids);
  }

  /** @param {Element} anchor */
  viewMenu(anchor) {
    const sorts = columns.map((column) => ({
      label: t("list.sort-by", { column: t("column." + column.id) }), checked: column.id === this.sort.id,
      run: () => this.sortBy(column.id),
    }));
    const choices = columns.slice(1).map((column) => ({
      label: t("column." + column.id) +
        (this.wanted.includes(column.id) && !this.shown.includes(column) ? " " + t("list.no-room") : ""),
      checked: this.wanted.includes(column.id),
      run: () => {
        const others = this.wanted.filter((id) => id !== column.id);
        this.wanted = others.length < this.wanted.length ? others : [...others, column.id];
        keep("columns", JSON.stringify(this.wanted));
        this.layOut();
      },
    }));
    menu(anchor, this.cards ? sorts : [...choices, {}, {
      label: t("list.usual"), icon: "refresh",
      run: () => {
        this.wanted = usual;
        keep("columns", "");
        this.layOut();
      },
    }]);
  }

  /** What is shown and selected, in a sentence. @returns {string} */
  summary() {
    const selected = this.selection.ids;
    let size = 0;
    if (selected.size) {
      for (const id of selected) size += store.torrents.get(id)?.wanted ?? 0;
      return t("list.selected", { n: selected.size, size: bytes(size) });
    }
    const shown = this.listing.view.length;
    const all = this.listing.entries.size;
    return shown < all ? t("list.shown", { n: shown, all }) : t("list.n-torrents", { n: all });
  }
}

/**
 * Says what a value of a filter means.
 * @param {import("./filter.js").Group} group
 * @param {string} value
 * @returns {string}
 */
export function valueText(group, value) {
  if (group === "status" || group === "activity") return t(`filter.${value}`);
  return value || t(`filter.no-${group}`);
}
