// A long table of things that change: sorted, and with rows only for what can be seen.
import { clear, h, setAttr, setText } from "./dom.js";
import { t } from "./i18n.js";
import { VirtualRows } from "./virtual.js";

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} width a track of a CSS grid
 * @property {boolean} [number]
 * @property {(row: any) => string | number} sort
 * @property {(row: any) => string | HTMLElement} cell
 */

const narrow = 620; // pixels of width below which a row has two lines

export class Table {
  /** @type {any[]} */
  rows = [];

  /**
   * @param {{label: string, columns: Column[], sort: string, descending: boolean,
   *   key: (row: any) => string, empty: string}} o
   */
  constructor(o) {
    this.o = o;
    this.sort = o.sort;
    this.descending = o.descending;
    this.heads = o.columns.map((c) => h("div", { role: "columnheader", class: `dt-c-${c.key}${c.number ? " num" : ""}` },
      h("button", { class: "dt-sort", type: "button", text: t(`details.col.${c.key}`),
        on: { click: () => this.#by(c) } })));
    this.head = h("div", { role: "row", class: "dt-row dt-heads", "aria-rowindex": 1 }, this.heads);
    this.empty = h("p", { class: "dt-empty muted", text: o.empty });
    this.element = h("div", { class: "dt-table", role: "table", "aria-label": o.label, tabIndex: 0 },
      h("div", { role: "rowgroup", class: "dt-sticky" }, this.head));
    this.virtual = new VirtualRows({ scroller: this.element, rowHeight: 32,
      create: () => this.#create(), render: (i, row) => this.#render(i, row) });
    this.element.append(this.empty);
    this.element.style.setProperty("--dt-columns", o.columns.map((c) => c.width).join(" "));
    this.watch = new ResizeObserver(() => {
      const two = this.element.clientWidth < narrow;
      this.element.classList.toggle("dt-narrow", two);
      this.virtual.setRowHeight(two ? 54 : 32);
    });
    this.watch.observe(this.element);
    this.#sorted();
  }

  /** @param {Column} c */
  #by(c) {
    this.descending = this.sort === c.key ? !this.descending : c.number ?? false;
    this.sort = c.key;
    this.#sorted();
  }

  /** Shows other rows. @param {any[]} rows */
  set(rows) {
    this.rows = rows;
    this.#sorted();
  }

  #sorted() {
    const { columns, key } = this.o, sign = this.descending ? -1 : 1;
    const by = columns.find((c) => c.key === this.sort) ?? columns[0];
    const compare = (/** @type {any} */ a, /** @type {any} */ b) => (a < b ? -1 : a > b ? 1 : 0);
    this.rows.sort((a, b) => sign * compare(by.sort(a), by.sort(b)) || compare(key(a), key(b)));
    columns.forEach((c, i) => setAttr(this.heads[i], "aria-sort",
      c.key !== this.sort ? "none" : this.descending ? "descending" : "ascending"));
    this.empty.hidden = this.rows.length > 0;
    this.virtual.setCount(this.rows.length);
    this.virtual.refresh();
  }

  #create() {
    return h("div", { role: "row", class: "dt-row" }, this.o.columns.map((c) =>
      h("div", { role: "cell", class: `ellipsis dt-c-${c.key}${c.number ? " num" : ""}` })));
  }

  /** @param {number} i @param {HTMLElement} row */
  #render(i, row) {
    this.o.columns.forEach((c, k) => {
      const cell = row.children[k], value = c.cell(this.rows[i]);
      const text = typeof value === "string" ? value : value.textContent ?? "";
      if (cell.textContent === text) return;
      if (typeof value === "string") setText(cell, value);
      else {
        clear(cell);
        cell.append(value);
      }
      setAttr(cell, "title", text || null);
    });
  }

  close() {
    this.watch.disconnect();
    this.virtual.close();
  }
}
