// @ts-check
// The choice of files before a torrent is added: a tree that the keyboard walks.
import { freshId } from "./dialog.js";
import { clear, h, icon, name } from "./dom.js";
import { bytes } from "./format.js";
import { t } from "./i18n.js";
import { NORMAL, SKIP, Tree } from "./tree.js";
import { VirtualRows } from "./virtual.js";

/** @typedef {import("./tree.js").Node} Node */
/** @typedef {{index: number, path: string, size: number, wanted?: boolean}} File */

/**
 * Writes places as the API takes them: 0,2-5.
 * @param {number[]} places in their order
 */
export function ranges(places) {
  /** @type {string[]} */
  const parts = [];
  for (let i = 0, j = 0; i < places.length; i = j + 1) {
    for (j = i; places[j + 1] === places[j] + 1;) j++;
    parts.push(i === j ? `${places[i]}` : `${places[i]}-${places[j]}`);
  }
  return parts.join(",");
}

/** A tree of files of which some are wanted. */
export class FileChoice {
  /**
   * @param {File[]} files
   * @param {() => void} changed
   */
  constructor(files, changed) {
    this.tree = Tree.of(files.map(({ wanted, ...file }) => ({ ...file,
      priority: wanted === false ? SKIP : NORMAL })));
    this.before = ranges(this.tree.wantedFiles());
    this.changed = changed;
    const tops = this.tree.rows();
    if (tops.length === 1) this.tree.toggle(tops[0], true);
    this.at = 0;
    this.id = freshId("fm-row");
    const touch = matchMedia("(pointer: coarse)").matches;
    this.element = h("div", { class: "fm-tree", role: "treegrid", tabIndex: 0,
      "aria-label": t("add.files"), on: {
        keydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
        click: (/** @type {MouseEvent} */ event) => this.click(event) } });
    this.rows = new VirtualRows({ scroller: this.element, rowHeight: touch ? 40 : 26, headerRows: 0,
      render: (i, row) => this.render(i, row),
      create: () => h("div", { role: "row", class: "fm-tree-row" }) });
    requestAnimationFrame(() => this.rows.setCount(this.tree.rows().length));
  }

  get sums() { return this.tree.root; }

  /** @returns {string[] | undefined} The choice for the API, or nothing if it is that of the source. */
  choose() {
    const places = ranges(this.tree.wantedFiles());
    return places === this.before ? undefined : [places];
  }

  get none() { return this.tree.wantedFiles().length === 0; }

  /** @param {number} i @param {HTMLElement} row */
  render(i, row) {
    const node = this.tree.rows()[i];
    if (!node) return;
    clear(row);
    row.id = `${this.id}-${i}`;
    row.setAttribute("aria-level", String(node.depth + 1));
    row.setAttribute("aria-selected", String(i === this.at));
    if (node.folder) row.setAttribute("aria-expanded", String(node.open));
    else row.removeAttribute("aria-expanded");
    const box = h("input", { type: "checkbox", tabIndex: -1, checked: node.checked === "true",
      indeterminate: node.checked === "mixed", "aria-label": node.name });
    const label = h("span", { role: "gridcell", class: "fm-tree-name" },
      icon(node.folder ? (node.open ? "sort-down" : "right") : "file"), box, name(node.name));
    label.style.paddingInlineStart = `${Math.min(node.depth, 12) * 16}px`;
    row.append(label, h("span", { role: "gridcell", class: "muted", text: bytes(node.size) }));
  }

  /** Shows all rows again. */
  show() {
    const rows = this.tree.rows();
    this.at = Math.max(0, Math.min(this.at, rows.length - 1));
    const { rowHeight } = this.rows;
    this.element.style.height = `${Math.min(Math.max(264, 5 * rowHeight), rows.length * rowHeight) + 2}px`;
    this.rows.setCount(rows.length);
    this.rows.refresh();
    this.element.setAttribute("aria-activedescendant", `${this.id}-${this.at}`);
  }

  /** @param {Node} node */
  flip(node) {
    this.tree.setPriority([node], node.checked === "true" ? SKIP : NORMAL);
    this.changed();
  }

  /** @param {boolean} all */
  setAll(all) {
    this.tree.setPriority([this.tree.root], all ? NORMAL : SKIP);
    this.changed();
    this.show();
  }

  /** @param {MouseEvent} event */
  click(event) {
    const target = /** @type {Element} */ (event.target);
    const row = target.closest("[role=row]");
    const i = row ? Number(row.getAttribute("aria-rowindex")) - 1 : -1;
    const node = this.tree.rows()[i];
    if (!node) return;
    this.at = i;
    if (node.folder && !(target instanceof HTMLInputElement)) this.tree.toggle(node, !node.open);
    else this.flip(node);
    this.show();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const rows = this.tree.rows();
    const node = rows[this.at];
    if (!node || event.ctrlKey || event.altKey || event.metaKey) return;
    const page = this.rows.page();
    const to = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, Home: 0, End: rows.length - 1,
      PageDown: this.at + page, PageUp: this.at - page }[event.key];
    if (to !== undefined) this.at = to;
    else if (event.key === " ") this.flip(node);
    else if (event.key === "ArrowRight" && node.folder) this.tree.toggle(node, true);
    else if (event.key === "ArrowLeft") {
      if (node.folder && node.open) this.tree.toggle(node, false);
      else if (node.parent && node.depth > 0) this.at = rows.indexOf(node.parent);
    } else return;
    event.preventDefault();
    this.show();
    this.rows.scrollTo(this.at);
    this.rows.refresh();
  }

  close() { this.rows.close(); }
}
