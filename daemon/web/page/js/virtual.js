// @ts-check
// Rows of a long list, of which only those are in the document that can be seen.
import { h, setAttr } from "./dom.js";

/**
 * @typedef {object} VirtualOptions
 * @property {HTMLElement} scroller scrolls; may hold a sticky header before the rows
 * @property {number} rowHeight in CSS pixels
 * @property {(i: number, row: HTMLElement) => void} render fills a row, which may have been another
 * @property {() => void} [placed] is told when other rows are in the document after a scroll or a resize
 * @property {() => HTMLElement} [create] makes a row; otherwise it is a div with the role row
 * @property {number} [overscan] rows beyond those that can be seen, on either side, 12 by default
 * @property {HTMLElement} [grid] gets aria-rowcount; otherwise the scroller
 * @property {number} [headerRows] rows before the first that count for ARIA, 1 by default
 */

/** The most rows in the document: a scroller that grows with its rows has no bound of its own. */
const rowsMax = 160;
/**
 * Scrolling puts no rows into the document while at least this many are there beyond those that can
 * be seen. Most frames then have nothing to lay out.
 */
const spareMin = 2;
/** Rows that were moved by scrolling stand in their order once it has rested, in milliseconds. */
const restTime = 150;

export class VirtualRows {
  /** @param {VirtualOptions} options */
  constructor(options) {
    this.scroller = options.scroller;
    this.rowHeight = options.rowHeight;
    this.render = options.render;
    this.placed = options.placed;
    this.create = options.create ?? (() => h("div", { role: "row" }));
    this.overscan = options.overscan ?? 12;
    this.grid = options.grid ?? options.scroller;
    this.headerRows = options.headerRows ?? 1;
    this.count = 0;
    /** The rows in the document. @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    /** @type {HTMLElement[]} */
    this.spare = [];
    /** The first row in the document, and the one after the last. */
    this.first = 0;
    this.last = 0;
    this.frame = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.resting = undefined;
    this.body = h("div", { class: "vr-body", role: "rowgroup" });
    this.scroller.appendChild(this.body);
    this.onScroll = () => this.later();
    this.scroller.addEventListener("scroll", this.onScroll, { passive: true });
    this.observer = new ResizeObserver(this.onScroll);
    this.observer.observe(this.scroller);
  }

  /** Forgets everything. */
  close() {
    this.scroller.removeEventListener("scroll", this.onScroll);
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.resting);
    this.body.remove();
    this.rows.clear();
    this.spare.length = 0;
  }

  /** @param {number} n */
  setCount(n) {
    if (n !== this.count) {
      this.count = n;
      this.body.style.height = n * this.rowHeight + "px";
    }
    setAttr(this.grid, "aria-rowcount", n + this.headerRows);
    this.place();
  }

  /** @param {number} height in CSS pixels */
  setRowHeight(height) {
    if (height === this.rowHeight) return;
    const first = this.scroller.scrollTop / this.rowHeight;
    this.rowHeight = height;
    this.body.style.height = this.count * height + "px";
    this.scroller.scrollTop = first * height;
    for (const [i, row] of this.rows) this.move(i, row);
    this.refresh();
  }

  /** Renders rows again: one, or all that are in the document. @param {number} [i] */
  refresh(i) {
    this.place();
    if (i === undefined) for (const [at, row] of this.rows) this.render(at, row);
    else {
      const row = this.rows.get(i);
      if (row) this.render(i, row);
    }
  }

  /** @param {number} i @returns {HTMLElement | undefined} The row, if it is in the document. */
  row(i) {
    return this.rows.get(i);
  }

  /** @returns {number} How many whole rows can be seen at one time. */
  page() {
    return Math.max(1, Math.floor((this.scroller.clientHeight - this.top()) / this.rowHeight));
  }

  /** Scrolls no further than it takes to see a row. @param {number} i */
  scrollTo(i) {
    const top = i * this.rowHeight;
    const bottom = top + this.rowHeight + this.top() - this.scroller.clientHeight;
    if (this.scroller.scrollTop > top) this.scroller.scrollTop = top;
    else if (this.scroller.scrollTop < bottom) this.scroller.scrollTop = bottom;
    this.place();
  }

  /** The height of what stands above the rows. */
  top() {
    return this.body.offsetTop;
  }

  later() {
    if (!this.frame) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        if (this.covered()) return;
        this.put();
        this.placed?.();
        clearTimeout(this.resting);
        this.resting = setTimeout(() => this.order(), restTime);
      });
    }
  }

  /** Whether the rows in the document are enough for what can be seen. */
  covered() {
    const top = this.scroller.scrollTop;
    const from = Math.floor(top / this.rowHeight) - spareMin;
    const to = Math.ceil((top + this.scroller.clientHeight) / this.rowHeight) + spareMin;
    return (this.first <= from || this.first === 0) && (this.last >= to || this.last === this.count);
  }

  /** Puts those rows into the document that can be seen, in their order. */
  place() {
    this.put();
    this.order();
  }

  /**
   * Puts those rows into the document that can be seen. Rows that are used again stay where they
   * are among the others, because one that moves there is laid out as a new one.
   */
  put() {
    const from = Math.floor(this.scroller.scrollTop / this.rowHeight) - this.overscan;
    const seen = Math.ceil(this.scroller.clientHeight / this.rowHeight) + 2 * this.overscan + 1;
    const first = Math.max(0, Math.min(from, this.count - 1));
    const last = Math.min(this.count, first + Math.min(seen, rowsMax));
    this.first = first;
    this.last = last;
    for (const [i, row] of this.rows) {
      if (i < first || i >= last) {
        this.rows.delete(i);
        this.spare.push(row);
      }
    }
    for (let i = first; i < last; i++) {
      if (this.rows.has(i)) continue;
      const row = this.spare.shift() ?? this.create();
      this.rows.set(i, row);
      this.move(i, row);
      this.render(i, row);
      if (row.parentElement !== this.body) this.body.append(row);
    }
    for (const row of this.spare) row.remove();
    if (this.spare.length > rowsMax) this.spare.length = rowsMax;
  }

  /** Puts the rows of the document into their order, in which screen readers read them. */
  order() {
    clearTimeout(this.resting);
    /** @type {Element | null} */
    let next = null;
    for (let i = this.last - 1; i >= this.first; i--) {
      const row = this.rows.get(i);
      if (!row) continue;
      if (row.nextElementSibling !== next) this.body.insertBefore(row, next);
      next = row;
    }
  }

  /** @param {number} i @param {HTMLElement} row */
  move(i, row) {
    row.style.top = i * this.rowHeight + "px";
    setAttr(row, "aria-rowindex", i + 1 + this.headerRows);
  }
}
