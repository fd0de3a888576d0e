// @ts-check
// Which torrents the list shows, in which order, and how many there are of each kind. It is told
// what changed, and works for that alone. Nothing here touches the page.

/** @typedef {import("./store.js").Row} Row */
/**
 * What to show. Values of one group are alternatives; groups, and the words of the text, must all
 * fit. No value in a group means any.
 * @typedef {Record<Group, string[]> & {text: string}} Filter
 */
/** @typedef {"status" | "activity" | "label" | "tracker" | "dir"} Group */

/** @type {Group[]} */
export const groups = ["status", "activity", "label", "tracker", "dir"];

/** @returns {Filter} */
export function anything() {
  return { text: "", status: [], activity: [], label: [], tracker: [], dir: [] };
}

/** @param {Filter} filter @returns {boolean} Whether it lets everything through. */
export function isAnything(filter) {
  return filter.text.trim() === "" && groups.every((group) => filter[group].length === 0);
}

/**
 * Takes a filter from somewhere else, such as what the browser has kept.
 * @param {any} from
 * @returns {Filter}
 */
export function filterOf(from) {
  const filter = anything();
  if (typeof from?.text === "string") filter.text = from.text.slice(0, 200);
  for (const group of groups) {
    if (Array.isArray(from?.[group])) {
      filter[group] = from[group].filter((/** @type {any} */ one) => typeof one === "string").slice(0, 50);
    }
  }
  return filter;
}

/**
 * Makes text comparable: in lower case, without accents.
 * @param {string} text
 * @returns {string}
 */
export function fold(text) {
  const lower = text.toLowerCase();
  return /^[\u0000-\u007f]*$/.test(lower) ? lower : lower.normalize("NFKD").replace(/\p{M}/gu, "");
}

/** @param {Row} row */
function textOf(row) {
  return (row.find ||= fold([row.name, row.hash, ...row.labels].join("\n")));
}

/** Why a torrent does not move although nothing is wrong with it. */
const calm = ["queued", "checking-queued", "starting", "moving", "goal"];

/** Whether a torrent should move and cannot. @param {Row} row @returns {boolean} */
export function isStuck(row) {
  return row.stuck !== "" && !calm.includes(row.stuck);
}

/** Whether everything that is wanted is there. @param {Row} row @returns {boolean} */
export function isComplete(row) {
  return row["have-info"] && row.left === 0 && row.wanted > 0;
}

/** Returns the values of a torrent in a group. @type {Record<Group, (row: Row) => string[]>} */
export const valuesOf = {
  status: (row) => {
    const status = row.status.endsWith("queued") ? "queued" : row.status;
    return isComplete(row) ? [status, "complete"] : [status];
  },
  activity: (row) => {
    const list = [];
    if (row["down-rate"] + row["up-rate"] > 0) list.push("active");
    if (isStuck(row)) list.push("stuck");
    if (row.error) list.push("error");
    return list;
  },
  label: (row) => (row.labels.length ? row.labels : [""]),
  tracker: (row) => [row.tracker],
  dir: (row) => [row.dir],
};

/**
 * Makes a test of a filter.
 * @param {Filter} filter
 * @returns {(row: Row) => boolean}
 */
export function compile(filter) {
  const words = fold(filter.text).split(/\s+/).filter(Boolean);
  const used = groups.filter((group) => filter[group].length > 0);
  const wanted = used.map((group) => new Set(filter[group]));
  return (row) => {
    for (let i = 0; i < used.length; i++) {
      if (!valuesOf[used[i]](row).some((value) => wanted[i].has(value))) return false;
    }
    return words.every((word) => textOf(row).includes(word));
  };
}

/** @typedef {{row: Row, key: string | number, shown: boolean, facets: string[]}} Entry */

const separator = "\u0000";

export class Listing {
  /**
   * @param {(row: Row) => string | number} keyOf what to sort by
   * @param {Intl.Collator} [collator]
   */
  constructor(keyOf, collator = new Intl.Collator(undefined, { numeric: true })) {
    this.keyOf = keyOf;
    this.collator = collator;
    this.down = false;
    this.filter = anything();
    this.fits = compile(this.filter);
    /** @type {Map<number, Entry>} */
    this.entries = new Map();
    /** All entries in their order. @type {Entry[]} */
    this.all = [];
    /** Those that are shown, in their order. @type {Entry[]} */
    this.view = [];
    /** How many torrents have a value of a group. @type {Map<string, number>} */
    this.counts = new Map();
    /** Whether a count has changed since somebody looked. */
    this.counted = true;
  }

  /** @param {number} i @returns {Row | undefined} The row at a place of the list. */
  at(i) {
    return this.view[i]?.row;
  }

  /** @param {number} id @returns {number} The place of a torrent in the list, -1 if it has none. */
  indexOf(id) {
    const entry = this.entries.get(id);
    return entry?.shown ? this.view.indexOf(entry) : -1;
  }

  /** @param {Group} group @param {string} value @returns {number} */
  count(group, value) {
    return this.counts.get(group + separator + value) ?? 0;
  }

  /** @param {Group} group @returns {[string, number][]} The values of a group, with their counts. */
  values(group) {
    /** @type {[string, number][]} */
    const list = [];
    for (const [facet, n] of this.counts) {
      if (facet.startsWith(group + separator)) list.push([facet.slice(group.length + 1), n]);
    }
    return list.sort((a, b) => this.collator.compare(a[0], b[0]));
  }

  /**
   * Compares by the key, and by age for equal ones, both in the same direction.
   * @param {Entry} a
   * @param {Entry} b
   */
  compare(a, b) {
    const by = typeof a.key === "number" && typeof b.key === "number" ? a.key - b.key :
      this.collator.compare(String(a.key), String(b.key));
    return (this.down ? -1 : 1) * (by || a.row.id - b.row.id);
  }

  /** @param {(row: Row) => string | number} keyOf @param {boolean} down the largest first */
  setSort(keyOf, down) {
    this.keyOf = keyOf;
    this.down = down;
    for (const entry of this.all) entry.key = keyOf(entry.row);
    this.all.sort((a, b) => this.compare(a, b));
    this.show();
  }

  /** @param {Filter} filter */
  setFilter(filter) {
    this.filter = filter;
    this.fits = compile(filter);
    for (const entry of this.all) entry.shown = this.fits(entry.row);
    this.show();
  }

  /** Forgets all torrents. */
  clear() {
    this.entries.clear();
    this.counts.clear();
    this.all = [];
    this.view = [];
    this.counted = true;
  }

  /**
   * Takes in rows that are new or have changed.
   * @param {Iterable<Row>} rows
   * @returns {boolean} whether the list has others, or another order
   */
  update(rows) {
    /** @type {Set<Entry>} */
    const moved = new Set();
    let changed = false;
    for (const row of rows) {
      let entry = this.entries.get(row.id);
      const key = this.keyOf(row);
      if (!entry || entry.row !== row) {
        if (entry) this.remove([row.id]);
        entry = { row, key, shown: this.fits(row), facets: [] };
        this.entries.set(row.id, entry);
        moved.add(entry);
        changed ||= entry.shown;
      } else {
        const shown = this.fits(row);
        changed ||= shown !== entry.shown;
        entry.shown = shown;
        if (key !== entry.key) {
          entry.key = key;
          moved.add(entry);
          changed ||= shown;
        }
      }
      this.countAgain(entry);
    }
    if (moved.size) this.merge(moved);
    if (changed) this.show();
    return changed;
  }

  /** @param {Iterable<number>} ids @returns {boolean} whether the list has lost some */
  remove(ids) {
    /** @type {Set<Entry>} */
    const gone = new Set();
    let changed = false;
    for (const id of ids) {
      const entry = this.entries.get(id);
      if (!entry) continue;
      this.entries.delete(id);
      gone.add(entry);
      changed ||= entry.shown;
      this.countFacets(entry.facets, -1);
    }
    if (gone.size) this.all = this.all.filter((entry) => !gone.has(entry));
    if (changed) this.show();
    return changed;
  }

  show() {
    this.view = this.all.filter((entry) => entry.shown);
  }

  /**
   * Puts entries to their places: all others are in order already.
   * @param {Set<Entry>} moved
   */
  merge(moved) {
    const rest = this.all.filter((entry) => !moved.has(entry));
    const add = [...moved].sort((a, b) => this.compare(a, b));
    /** @type {Entry[]} */
    const all = [];
    let from = 0;
    for (const entry of add) {
      let low = from;
      let high = rest.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.compare(rest[middle], entry) < 0) low = middle + 1;
        else high = middle;
      }
      for (; from < low; from++) all.push(rest[from]);
      all.push(entry);
    }
    for (; from < rest.length; from++) all.push(rest[from]);
    this.all = all;
  }

  /** @param {Entry} entry */
  countAgain(entry) {
    const facets = [];
    for (const group of groups) {
      for (const value of valuesOf[group](entry.row)) facets.push(group + separator + value);
    }
    const old = entry.facets;
    if (facets.length === old.length && facets.every((facet, i) => facet === old[i])) return;
    this.countFacets(old, -1);
    this.countFacets(facets, 1);
    entry.facets = facets;
  }

  /** @param {string[]} facets @param {number} by */
  countFacets(facets, by) {
    for (const facet of facets) {
      const n = (this.counts.get(facet) ?? 0) + by;
      if (n > 0) this.counts.set(facet, n);
      else this.counts.delete(facet);
      this.counted = true;
    }
  }
}
