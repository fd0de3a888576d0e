// The files of a torrent as a tree: what is open, selected and wanted, and the rows to show.
// Nothing here touches the page.

/**
 * A file or folder as the API describes it.
 * @typedef {{name: string, path: string, index?: number, files?: number, size: number,
 *   have: number, wanted: number, priority?: number}} Entry
 */

/** The priorities that users choose from. */
export const SKIP = 0, LOW = 1, NORMAL = 4, HIGH = 7;

/** A file or folder of a tree. */
export class Node {
  /** @type {Node[] | null} null: not loaded */
  children = null;
  /** @type {Map<string, Node> | null} */
  byName = null;
  open = false;
  hit = true; // it fits the search
  key = ""; // name, so that plain comparison gives the natural order

  /**
   * @param {Entry} entry
   * @param {Node | null} parent
   * @param {number} order the place among the siblings in the API's order
   */
  constructor(entry, parent, order) {
    this.name = entry.name;
    this.path = entry.path;
    this.parent = parent;
    this.order = order;
    /** @type {number} */
    this.depth = parent ? parent.depth + 1 : 0;
    this.index = entry.index ?? -1;
    this.files = this.size = this.have = this.wanted = 0;
    /** @type {number | null} null: the files of a folder differ */
    this.priority = null;
    this.update(entry);
  }

  /** @param {Entry} entry */
  update(entry) {
    this.files = this.folder ? entry.files ?? 0 : 1;
    this.size = entry.size;
    this.have = entry.have;
    this.wanted = entry.wanted;
    this.priority = entry.priority ?? null;
  }

  get folder() { return this.index < 0; }
  get progress() { return this.size ? this.have / this.size : 1; }

  /** Whether it is wanted, as the value of aria-checked. */
  get checked() {
    if (this.priority !== null) return this.priority > SKIP ? "true" : "false";
    return this.wanted === this.size && this.size > 0 ? "true" : "mixed";
  }

  /** The key for the natural order: 2 comes before 10. */
  get natural() {
    return this.key ||= this.name.toLowerCase().replace(/\d+/g, (d) => d.padStart(12, "0")) + "\0";
  }
}

/** @type {Record<string, (a: Node, b: Node) => number>} */
const orders = {
  name: (a, b) => (a.natural < b.natural ? -1 : a.natural > b.natural ? 1 : a.order - b.order),
  size: (a, b) => a.size - b.size,
  progress: (a, b) => a.progress - b.progress,
};

/** The words of a search. @param {string} text */
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

/** The tree of the files of one torrent. */
export class Tree {
  root = new Node({ name: "", path: "", size: 0, have: 0, wanted: 0 }, null, 0);
  order = "name";
  down = false;
  /** @type {Set<Node>} */
  selected = new Set();
  /** @type {Node | null} the row that the keyboard is on */
  focus = null;
  /** @type {Node | null} where a range begins */
  anchor = null;
  /** @type {string[]} */
  words = [];
  /** @type {Node[] | null} */
  shown = null;

  constructor() {
    this.root.depth = -1;
    this.root.open = true;
  }

  /**
   * The tree of a list of all files.
   * @param {Array<{index: number, path: string, size: number, have?: number, wanted?: number,
   *   priority?: number}>} files
   */
  static of(files) {
    const tree = new Tree();
    tree.loadAll(files);
    return tree;
  }

  /**
   * Builds the tree from a list of all files. Folders stay open, rows stay selected.
   * @param {Parameters<typeof Tree.of>[0]} files
   */
  loadAll(files) {
    /** @type {Map<string, Entry & {children: Entry[]}>} */
    const folders = new Map();
    /** @param {string} path @returns {Entry & {children: Entry[]}} */
    const folder = (path) => {
      let f = folders.get(path);
      if (f) return f;
      const cut = path.lastIndexOf("/");
      f = { name: path.slice(cut + 1), path, files: 0, size: 0, have: 0, wanted: 0, children: [] };
      folders.set(path, f);
      if (path) folder(cut < 0 ? "" : path.slice(0, cut)).children.push(f);
      return f;
    };
    folder("");
    for (const { index, path, size, have = 0, priority = NORMAL } of files) {
      const cut = path.lastIndexOf("/");
      folder(cut < 0 ? "" : path.slice(0, cut)).children.push({ index, path, size, have, priority,
        name: path.slice(cut + 1), wanted: priority ? size : 0 });
    }
    /** @param {Node} node */
    const fill = (node) => {
      const all = /** @type {Entry & {children: Entry[]}} */ (folders.get(node.path)).children;
      this.load(node, all);
      for (const child of node.children ?? []) if (child.folder) fill(child);
      sum(node);
    };
    fill(this.root);
    this.#find();
  }

  /**
   * Gives a folder its children. Those that were there keep what is open and selected.
   * @param {Node} folder
   * @param {Entry[]} entries
   */
  load(folder, entries) {
    const old = folder.byName;
    folder.byName = new Map();
    folder.children = entries.map((e, i) => {
      let node = old?.get(e.name);
      if (node && node.folder === (e.index === undefined)) {
        node.update(e);
        node.order = i;
        node.index = e.index ?? -1;
      } else {
        node = new Node(e, folder, i);
      }
      folder.byName?.set(e.name, node);
      return node;
    });
    for (const node of old?.values() ?? []) {
      if (folder.byName.get(node.name) !== node) this.#forget(node);
    }
    if (folder === this.root) sum(folder);
    this.#sort(folder);
    if (this.words.length) this.#find();
    this.shown = null;
  }

  /**
   * Takes over new figures of some children of a folder. It reports whether all were known.
   * @param {Node} folder
   * @param {Entry[]} entries
   */
  refresh(folder, entries) {
    for (const e of entries) {
      const node = folder.byName?.get(e.name);
      if (!node || node.folder !== (e.index === undefined)) return false;
      node.update(e);
    }
    if (folder === this.root) sum(folder);
    return true;
  }

  /** The rows to show, from the top. */
  rows() {
    if (this.shown) return this.shown;
    /** @type {Node[]} */
    const rows = [];
    const searching = this.words.length > 0;
    /** @param {Node} folder */
    const walk = (folder) => {
      for (const node of folder.children ?? []) {
        if (!node.hit) continue;
        rows.push(node);
        if (node.children && (node.open || searching)) walk(node);
      }
    };
    walk(this.root);
    return this.shown = rows;
  }

  /** Opens or closes a folder. @param {Node} node @param {boolean} open */
  toggle(node, open) {
    node.open = open;
    this.shown = null;
  }

  /** Sorts by name, size or progress. @param {string} order @param {boolean} down */
  sort(order, down) {
    this.order = order;
    this.down = down;
    const all = [this.root];
    for (let node = all.pop(); node; node = all.pop()) {
      this.#sort(node);
      for (const child of node.children ?? []) if (child.children) all.push(child);
    }
    this.shown = null;
  }

  /** @param {Node} folder */
  #sort(folder) {
    const by = orders[this.order] ?? orders.name, sign = this.down ? -1 : 1;
    folder.children?.sort((a, b) => (a.folder !== b.folder ? (a.folder ? -1 : 1) :
      sign * by(a, b) || orders.name(a, b)));
  }

  /** Shows only rows with these words in their path, in any order. @param {string} text */
  search(text) {
    this.words = wordsOf(text);
    this.#find();
  }

  #find() {
    /** @param {Node} node @returns {boolean} */
    const find = (node) => {
      let hit = false;
      for (const child of node.children ?? []) if (find(child)) hit = true;
      if (!hit) {
        const path = node.path.toLowerCase();
        hit = this.words.every((w) => path.includes(w));
      }
      return node.hit = hit;
    };
    find(this.root);
    this.shown = null;
  }

  /** Forgets what is selected of a node that is gone. @param {Node} node */
  #forget(node) {
    /** @param {Node | null} n */
    const within = (n) => {
      for (; n; n = n.parent) if (n === node) return true;
      return false;
    };
    for (const n of this.selected) if (within(n)) this.selected.delete(n);
    if (within(this.focus)) this.focus = null;
    if (within(this.anchor)) this.anchor = null;
  }

  /**
   * Moves the keyboard to a row, and selects it, adds it, or selects from the anchor to it.
   * @param {Node} node
   * @param {{toggle?: boolean, range?: boolean, keep?: boolean}} [how] keep: the selection stays
   */
  pick(node, how = {}) {
    this.focus = node;
    if (how.keep) return;
    if (how.range) {
      const rows = this.rows(), from = this.anchor ? rows.indexOf(this.anchor) : -1;
      const to = rows.indexOf(node), start = from < 0 ? to : from;
      this.selected = new Set(rows.slice(Math.min(start, to), Math.max(start, to) + 1));
      return;
    }
    this.anchor = node;
    if (!how.toggle) this.selected = new Set([node]);
    else if (!this.selected.delete(node)) this.selected.add(node);
  }

  /** Selects all rows that are shown. */
  pickAll() { this.selected = new Set(this.rows()); }

  /** The selected nodes that do not lie in a folder that is selected too. */
  picked() {
    return [...this.selected].filter((node) => {
      for (let p = node.parent; p; p = p.parent) if (this.selected.has(p)) return false;
      return true;
    });
  }

  /** Gives nodes, and everything below them, a priority. @param {Node[]} nodes @param {number} to */
  setPriority(nodes, to) {
    for (const top of nodes) {
      const all = [top];
      for (let node = all.pop(); node; node = all.pop()) {
        node.priority = to;
        node.wanted = to ? node.size : 0;
        if (node.children) all.push(...node.children);
      }
      for (let p = top.parent; p; p = p.parent) sum(p);
    }
  }

  /** The indexes of the files that are wanted, of a tree that is loaded as a whole. */
  wantedFiles() {
    /** @type {number[]} */
    const list = [];
    const all = [this.root];
    for (let node = all.pop(); node; node = all.pop()) {
      if (!node.folder && node.priority) list.push(node.index);
      for (const child of node.children ?? []) all.push(child);
    }
    return list.sort((a, b) => a - b);
  }
}

/** Sums up the children of a folder. @param {Node} folder */
function sum(folder) {
  if (!folder.children?.length) return;
  folder.files = folder.size = folder.have = folder.wanted = 0;
  folder.priority = folder.children[0].priority;
  for (const c of folder.children) {
    folder.files += c.files;
    folder.size += c.size;
    folder.have += c.have;
    folder.wanted += c.wanted;
    if (c.priority !== folder.priority) folder.priority = null;
  }
}
/** The sums of nodes. @param {Node[]} nodes */
export function sums(nodes) {
  let files = 0, size = 0, have = 0, wanted = 0;
  for (const n of nodes) {
    files += n.files;
    size += n.size;
    have += n.have;
    wanted += n.wanted;
  }
  return { files, size, have, wanted };
}
