// What the tabs of a torrent share.
import { address, Problem } from "./api.js";
import { dialog, toast } from "./dialog.js";
import { h, icon } from "./dom.js";
import { t } from "./i18n.js";

/**
 * A torrent whose details are open.
 * @typedef {object} Open
 * @property {number} id
 * @property {string} path of the torrent in the interface
 * @property {boolean} may whether the login may change it
 * @property {any} details the last answer about it
 * @property {() => Promise<any>} load asks again
 * @property {(err: any) => void} failed shows what went wrong with a request of its own accord
 */

/** @typedef {{element: HTMLElement, close: () => void, update?: () => void}} Tab */

/**
 * Calls fn at once and then every ms, once at a time, while the page can be seen.
 * @param {(signal: AbortSignal) => Promise<any>} fn
 * @param {number} ms
 * @param {(err: any) => void} failed gets the error of fn, or null after a success
 */
export function poll(fn, ms, failed) {
  const stop = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let running = false, again = false;
  const run = async () => {
    clearTimeout(timer);
    if (stop.signal.aborted || document.hidden) return;
    again = running;
    if (running) return;
    running = true;
    try {
      await fn(stop.signal);
      if (!stop.signal.aborted) failed(null);
    } catch (err) {
      if (!stop.signal.aborted) failed(err);
    }
    running = false;
    timer = setTimeout(run, again ? 0 : ms);
  };
  document.addEventListener("visibilitychange", run, { signal: stop.signal });
  run();
  return { now: run, close: () => { clearTimeout(timer); stop.abort(); } };
}

/** The sentence of an error. @param {any} err */
export const sentence = (err) => (err instanceof Problem ? err.detail : String(err?.message ?? err));

/**
 * Waits for what the user began. It says what went wrong, and reports whether nothing did.
 * @param {Promise<any>} work
 * @param {string} [done] is said at the end
 */
export async function did(work, done) {
  try {
    await work;
    if (done) toast(done, { kind: "good" });
    return true;
  } catch (err) {
    toast(sentence(err), { kind: "bad" });
    return false;
  }
}

/** Copies a text. Only pages of this machine and of https may: others show it. @param {string | Promise<string>} text */
export async function copy(text) {
  await did((async () => {
    const s = await text;
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(s);
      toast(t("details.copied"), { kind: "good" });
      return;
    }
    const area = h("textarea", { value: s, readOnly: true, rows: 5, class: "mono", "aria-label": t("details.copyThis") });
    const { close } = dialog({ title: t("details.copyThis"), body: area, class: "dialog-small" });
    area.select();
    if (!document.execCommand("copy")) return;
    close();
    toast(t("details.copied"), { kind: "good" });
  })());
}

/**
 * A button with an icon alone, or with words beside it.
 * @param {string} picture @param {string} label @param {(e: MouseEvent) => void} click
 * @param {{words?: boolean, class?: string, tabIndex?: number}} [o]
 */
export function button(picture, label, click, o = {}) {
  return h("button", { type: "button", class: `btn ${o.words ? "" : "btn-icon"} ${o.class ?? ""}`,
    title: o.words ? undefined : label, "aria-label": o.words ? undefined : label,
    tabIndex: o.tabIndex ?? 0, on: { click } }, icon(picture), o.words && label);
}

/** The address of a file, or of what else lies below /files. @param {string} hash
 * @param {string[]} parts @param {Record<string, string | number>} [query] */
export function fileURL(hash, parts, query) {
  const path = ["files", hash, ...parts].map(encodeURIComponent).join("/");
  const url = new URL(`../../${path}`, address("/"));
  for (const [key, value] of Object.entries(query ?? {})) url.searchParams.set(key, String(value));
  return url.href;
}
