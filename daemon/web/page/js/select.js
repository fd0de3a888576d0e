// @ts-check
// Which rows of a list are selected, and where its cursor is. Rows are known by their ids, so that
// a selection outlives every sort and filter. Nothing here touches the page.

/**
 * @typedef {object} Order the list as it is shown
 * @property {() => number} count
 * @property {(i: number) => number} idAt
 * @property {(id: number) => number} indexOf -1 if it is not shown
 */

export class Selection {
  /** @param {Order} order */
  constructor(order) {
    this.order = order;
    /** @type {Set<number>} */
    this.ids = new Set();
    /** The row with the cursor, and the one from which a range begins; 0 for none. */
    this.cursor = 0;
    this.anchor = 0;
    /** Where the cursor was last: the row there gets it when its own one goes. */
    this.place = 0;
  }

  /** @returns {number} The place of the cursor, -1 without rows. */
  index() {
    const count = this.order.count();
    const at = this.cursor ? this.order.indexOf(this.cursor) : -1;
    if (at >= 0) return (this.place = at);
    return count ? Math.min(this.place, count - 1) : -1;
  }

  /**
   * Moves the cursor, and selects: the row alone, with extend all from the anchor to it; with keep
   * the selection stays as it is.
   * @param {number} i
   * @param {{extend?: boolean, keep?: boolean}} [how]
   */
  moveTo(i, how = {}) {
    const count = this.order.count();
    if (!count) return;
    const at = Math.max(0, Math.min(i, count - 1));
    const id = this.order.idAt(at);
    this.cursor = id;
    this.place = at;
    if (how.extend) this.range(at, how.keep === true);
    else if (!how.keep) {
      this.ids = new Set([id]);
      this.anchor = id;
    }
  }

  /** @param {number} to @param {boolean} add */
  range(to, add) {
    const anchor = this.anchor ? this.order.indexOf(this.anchor) : -1;
    const from = anchor < 0 ? to : anchor;
    if (anchor < 0) this.anchor = this.order.idAt(to);
    const ids = new Set(add ? this.ids : []);
    for (let i = Math.min(from, to); i <= Math.max(from, to); i++) ids.add(this.order.idAt(i));
    this.ids = ids;
  }

  /** Selects a row or no longer, besides the others. @param {number} i */
  toggle(i) {
    if (i < 0 || i >= this.order.count()) return;
    const id = this.order.idAt(i);
    if (!this.ids.delete(id)) this.ids.add(id);
    this.cursor = id;
    this.anchor = id;
    this.place = i;
  }

  /** @param {number} i @param {{ctrl: boolean, shift: boolean}} keys */
  click(i, keys) {
    if (keys.shift) this.moveTo(i, { extend: true, keep: keys.ctrl });
    else if (keys.ctrl) this.toggle(i);
    else this.moveTo(i);
  }

  /** Selects every row that is shown. */
  all() {
    for (let i = 0; i < this.order.count(); i++) this.ids.add(this.order.idAt(i));
  }

  none() {
    this.ids = new Set();
  }

  /** Forgets rows that are gone. @param {Iterable<number>} ids @returns {boolean} */
  remove(ids) {
    let changed = false;
    for (const id of ids) changed = this.ids.delete(id) || changed;
    return changed;
  }

  /**
   * Does what a key means for the list.
   * @param {string} key
   * @param {{ctrl: boolean, shift: boolean}} mods
   * @param {number} page how many rows a page has
   * @returns {boolean} whether it means something
   */
  key(key, mods, page) {
    const at = this.cursor ? this.index() : -1;
    const how = { extend: mods.shift, keep: mods.ctrl };
    switch (key) {
      case "ArrowDown": this.moveTo(at + 1, how); break;
      case "ArrowUp": this.moveTo(at < 0 ? 0 : at - 1, how); break;
      case "PageDown": this.moveTo(at + page, how); break;
      case "PageUp": this.moveTo(at - page, how); break;
      case "Home": this.moveTo(0, how); break;
      case "End": this.moveTo(this.order.count() - 1, how); break;
      case " ":
        if (mods.shift) this.moveTo(at, { extend: true });
        else this.toggle(at);
        break;
      case "a":
        if (!mods.ctrl) return false;
        this.all();
        break;
      default: return false;
    }
    return true;
  }
}
