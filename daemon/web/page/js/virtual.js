// @ts-check
// Rows of a long list, of which only those are in the document that can be seen.
import { h, setAttr } from "./dom.js";

/**
 * @typedef {object} VirtualOptions
 * @property {HTMLElement} scroller scrolls; may hold a sticky header before the rows
 * @property {number} rowHeight in CSS pixels
 * @property {(i: number, row: HTMLElement) => void} render fills a row, which may have been another
 * @property {() => HTMLElement} [create] makes a row; otherwise it is a div with the role row
 * @property {number} [overscan] rows beyond those that can be seen, on either side
 * @property {HTMLElement} [grid] gets aria-rowcount; otherwise the scroller
 * @property {number} [headerRows] rows before the first that count for ARIA, 1 by default
 */

/** The most rows in the document: a scroller that grows with its rows has no bound of its own. */
const rowsMax = 160;

export class VirtualRows {
  /** @param {VirtualOptions} options */
  constructor(options) {
    this.scroller = options.scroller;
    this.rowHeight = options.rowHeight;
    this.render = options.render;
    this.create = options.create ?? (() => h("div", { role: "row" }));
    this.overscan = options.overscan ?? 6;
    this.grid = options.grid ?? options.scroller;
    this.headerRows = options.headerRows ?? 1;
    this.count = 0;
    /** The rows in the document, in their order. @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    /** @type {HTMLElement[]} */
    this.spare = [];
    this.frame = 0;
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
    for (const [i, row] of this.rows) this.put(i, row);
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
        this.place();
      });
    }
  }

  /** Puts those rows into the document that can be seen. */
  place() {
    const from = Math.floor(this.scroller.scrollTop / this.rowHeight) - this.overscan;
    const seen = Math.ceil(this.scroller.clientHeight / this.rowHeight) + 2 * this.overscan + 1;
    const first = Math.max(0, Math.min(from, this.count - 1));
    const last = Math.min(this.count, first + Math.min(seen, rowsMax));
    for (const [i, row] of this.rows) {
      if (i < first || i >= last) {
        this.rows.delete(i);
        this.spare.push(row);
      }
    }
    /** @type {Element | null} */
    let next = null;
    for (let i = last - 1; i >= first; i--) {
      let row = this.rows.get(i);
      if (!row) {
        row = this.spare.pop() ?? this.create();
        this.rows.set(i, row);
        this.put(i, row);
        this.render(i, row);
        if (row.nextElementSibling !== next || row.parentElement !== this.body) {
          this.body.insertBefore(row, next);
        }
      }
      next = row;
    }
    for (const row of this.spare) row.remove();
    if (this.spare.length > rowsMax) this.spare.length = rowsMax;
  }

  /** @param {number} i @param {HTMLElement} row */
  put(i, row) {
    row.style.transform = `translateY(${i * this.rowHeight}px)`;
    setAttr(row, "aria-rowindex", i + 1 + this.headerRows);
  }
}
