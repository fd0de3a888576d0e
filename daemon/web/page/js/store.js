// @ts-check
// What the node told: all torrents, kept up to date by its feed of changes.
import { Problem, address, api, askLogin } from "./api.js";

/** A torrent, as the interface describes it, with the fields that a list needs. */
export class Row {
  constructor() {
    this.id = 0;
    this.hash = "";
    this.name = "";
    this.status = "";
    this.why = "";
    this.finished = false;
    this.error = "";
    this.stuck = "";
    this.queue = 0;
    this.forced = false;
    this.stalled = false;
    this.temporary = false;
    this.private = false;
    this.dir = "";
    this["have-info"] = false;
    this.size = 0;
    this.wanted = 0;
    this.got = 0;
    this.left = 0;
    this["metadata-size"] = 0;
    this["metadata-have"] = 0;
    this.checked = 0;
    this["check-total"] = 0;
    this.moved = 0;
    this["move-total"] = 0;
    this["down-rate"] = 0;
    this["up-rate"] = 0;
    this.eta = -1;
    this.ratio = -1;
    this.down = 0;
    this.up = 0;
    this.added = "";
    this.completed = "";
    this.peers = 0;
    this.seeds = 0;
    this["peers-known"] = 0;
    /** @type {string[]} */
    this.labels = noLabels;
    this.tracker = "";
    this.sequential = false;
    this.rank = 0;
    /** Text to search in, once it was needed. @type {string} */
    this.find = "";
  }
}

/** @type {string[]} */
const noLabels = [];
const empty = new Row();
const fields = Object.keys(empty).filter((key) => key !== "find");

/** Values that many torrents share are kept once. @type {Map<string, string>} */
const shared = new Map();
const sharedMax = 4096;

/** @param {string} text */
function share(text) {
  const known = shared.get(text);
  if (known !== undefined) return known;
  if (shared.size >= sharedMax) shared.clear();
  shared.set(text, text);
  return text;
}

/**
 * Takes over the fields of a change. Unknown ones are left out, absent ones keep their values.
 * @param {any} row
 * @param {any} change
 */
export function apply(row, change) {
  for (const key in change) {
    if (!(key in empty) || key === "find") continue;
    let value = change[key];
    if (value === null || value === undefined) value = /** @type {any} */ (empty)[key];
    else if (key === "dir" || key === "tracker" || key === "status") value = share(value);
    else if (key === "labels") value = value.length ? value.map(share) : noLabels;
    if ((key === "eta" || key === "ratio") && typeof value !== "number") value = -1;
    row[key] = value;
    if (key === "name" || key === "labels" || key === "hash") row.find = "";
  }
}

/** @typedef {"rows" | "removed" | "reset" | "stats" | "settings" | "link" | "session"} Type */

/** How long the page may be hidden until it stops listening, in milliseconds. */
const hiddenMax = 10_000;
/** The first and the longest pause until the feed is asked again after a break. */
const pauseMin = 1000;
const pauseMax = 20_000;

/**
 * A machine that has slept, or whose clock was set, is noticed by a tick that comes late, in
 * milliseconds. The feed is then opened again, since a connection can die without a word.
 */
const tick = 5000;
const sleepMin = 20_000;

/**
 * Events of the feed wait for the next frame, and those that it has no time for, in milliseconds,
 * for the one after: thousands of torrents come in many events. More events do not wait.
 */
const frameTime = 10;
const waitingMax = 400;

class Store {
  constructor() {
    /** @type {Map<number, Row>} */
    this.torrents = new Map();
    /** @type {any} */
    this.stats = null;
    /** @type {any} */
    this.session = null;
    /** Whether the feed is connected. */
    this.linked = false;
    /** @type {Map<Type, Set<(value: any) => void>>} */
    this.followers = new Map();
    /** @type {EventSource | null} */
    this.source = null;
    this.seq = "";
    this.pause = pauseMin;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {Set<number>} */
    this.changed = new Set();
    /** @type {Set<number>} */
    this.removed = new Set();
    this.reset = false;
    this.statsChanged = false;
    this.frame = 0;
    /** Events that wait for a frame, the oldest first. @type {(() => void)[]} */
    this.waiting = [];
  }

  /**
   * Follows changes: rows and removed with the numbers of the torrents, link with whether the feed
   * is connected.
   * @param {Type} type
   * @param {(value: any) => void} fn
   * @returns {() => void} ends it
   */
  on(type, fn) {
    let set = this.followers.get(type);
    if (!set) this.followers.set(type, (set = new Set()));
    set.add(fn);
    return () => set.delete(fn);
  }

  /** @param {Type} type @param {any} value */
  emit(type, value) {
    for (const fn of this.followers.get(type) ?? []) fn(value);
  }

  /** Begins to listen. */
  async start() {
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.timer);
      if (document.hidden) this.timer = setTimeout(() => this.close(), hiddenMax);
      else if (!this.source) this.open();
      this.later();
    });
    addEventListener("online", () => this.open());
    let last = Date.now();
    setInterval(() => {
      const now = Date.now();
      if (now - last > tick + sleepMin && !document.hidden) this.open();
      last = now;
    }, tick);
    await this.loadSession();
    this.open();
  }

  /** Asks who we are and how the node does. */
  async loadSession() {
    try {
      this.session = await api.get("/session");
      this.stats ??= this.session.stats;
      this.emit("session", this.session);
      this.emit("stats", this.stats);
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
    }
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  open() {
    this.close();
    const query = { delta: true, stats: true, fields: fields.join(","), since: this.seq || undefined };
    const source = new EventSource(address("/events", query));
    this.source = source;
    source.onopen = () => {
      this.pause = pauseMin;
      this.link(true);
    };
    source.onerror = () => this.broken(source);
    /** @param {string} type @param {(data: any) => void} fn */
    const hear = (type, fn) => source.addEventListener(type, (event) => {
      const message = /** @type {MessageEvent<string>} */ (event);
      if (message.lastEventId) this.seq = message.lastEventId;
      this.waiting.push(() => fn(JSON.parse(message.data)));
      this.later();
    });
    hear("rows", (rows) => rows.forEach(/** @param {any} row */ (row) => this.change(row)));
    hear("torrent", (row) => this.change(row));
    hear("removed", (gone) => this.remove(gone.id));
    hear("reset", () => this.forget());
    hear("stats", (stats) => {
      this.stats = stats;
      this.statsChanged = true;
    });
    hear("settings", () => this.emit("settings", null));
  }

  /** @param {boolean} linked */
  link(linked) {
    if (linked === this.linked) return;
    this.linked = linked;
    this.emit("link", linked);
  }

  /**
   * Comes back after a break. The browser does so by itself unless the answer was an error; a
   * login that has ended is one.
   * @param {EventSource} source
   */
  async broken(source) {
    if (source !== this.source) return;
    this.link(false);
    if (source.readyState !== EventSource.CLOSED) return;
    this.close();
    const pause = this.pause * (0.75 + Math.random() / 2);
    this.pause = Math.min(pauseMax, this.pause * 2);
    try {
      this.session = await api.get("/session", {}, { login: false });
      this.emit("session", this.session);
    } catch (err) {
      if (err instanceof Problem && err.status === 401) {
        await askLogin();
        this.pause = pauseMin;
        await this.loadSession();
        this.open();
        return;
      }
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.source && !document.hidden) this.open();
    }, pause);
  }

  /** @param {any} change */
  change(change) {
    const id = change.id;
    if (!Number.isSafeInteger(id)) return;
    let row = this.torrents.get(id);
    if (!row) this.torrents.set(id, (row = new Row()));
    apply(row, change);
    this.changed.add(id);
    this.removed.delete(id);
  }

  /** @param {number} id */
  remove(id) {
    if (!this.torrents.delete(id)) return;
    this.changed.delete(id);
    this.removed.add(id);
  }

  forget() {
    this.torrents.clear();
    this.changed.clear();
    this.removed.clear();
    this.reset = true;
  }

  /**
   * Takes events and tells followers once per frame. A hidden page has no frames, and tells nothing,
   * but takes events at once.
   */
  later() {
    if (document.hidden || this.waiting.length > waitingMax) this.take(Infinity);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.tell());
  }

  /** Takes events that wait, for some time. @param {number} time in milliseconds */
  take(time) {
    const end = performance.now() + time;
    let n = 0;
    try {
      while (n < this.waiting.length && (n === 0 || performance.now() < end)) this.waiting[n++]();
    } finally {
      this.waiting.splice(0, n);
    }
  }

  tell() {
    this.frame = 0;
    this.take(frameTime);
    if (this.waiting.length) this.later();
    if (this.reset) {
      this.reset = false;
      this.changed.clear();
      this.emit("reset", null);
    }
    if (this.removed.size) {
      const ids = [...this.removed];
      this.removed.clear();
      this.emit("removed", ids);
    }
    if (this.changed.size) {
      const ids = [...this.changed];
      this.changed.clear();
      this.emit("rows", ids);
    }
    if (this.statsChanged) {
      this.statsChanged = false;
      this.emit("stats", this.stats);
    }
  }

  /** @param {string} scope @returns {boolean} Whether the login may do what takes the scope. */
  may(scope) {
    const scopes = ["read", "control", "admin"];
    return scopes.indexOf(this.session?.scope ?? "read") >= scopes.indexOf(scope);
  }
}

export const store = new Store();
