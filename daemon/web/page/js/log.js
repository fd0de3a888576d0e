// @ts-check
// The log of the node: its last lines, as they come.
import { api } from "./api.js";
import { freshId } from "./dialog.js";
import { clear, h, name, setText, show } from "./dom.js";
import { check, copy, button, facts, input } from "./forms.js";
import { date } from "./format.js";
import { lang, t } from "./i18n.js";
import { poll } from "./node.js";
import { VirtualRows } from "./virtual.js";

const LEVELS = ["debug", "info", "warn", "error"];
const LINES = 1000;
const POLL = 2000; // milliseconds

/** @typedef {{seq: number, time: string, level: string, text: string,
 *   values?: Record<string, string>}} Line */

/**
 * Returns the lines of a level or above that have all words.
 * @param {Line[]} lines
 * @param {string} level
 * @param {string} search
 */
export function filterLines(lines, level, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const least = LEVELS.indexOf(level);
  return lines.filter((line) => LEVELS.indexOf(line.level) >= least && (words.length === 0 ||
    words.every((word) => textOf(line).toLowerCase().includes(word))));
}

/** @param {Line} line */
function textOf(line) {
  const values = Object.entries(line.values ?? {}).map(([key, value]) => `${key}=${value}`);
  return [line.text, ...values].join(" ");
}

/** @param {HTMLElement} panel @returns {() => void} */
export function mount(panel) {
  /** @type {Line[]} */
  let all = [];
  /** @type {Line[]} */
  let shown = [];
  let [since, at] = [0, -1];
  const clock = new Intl.DateTimeFormat(lang(), { timeStyle: "medium" });
  const id = freshId("fm-log");
  const follow = check(t("node.follow"), true);
  const level = h("select", { class: "input", "aria-label": t("node.level"), on: { change: () => filter() } },
    LEVELS.slice(1).map((one) => h("option", { value: one, text: t(`node.level.${one}`), selected: one === "info" })));
  const search = input("", { type: "search", class: "input", placeholder: t("node.search"),
    "aria-label": t("node.search"), on: { input: () => filter() } });
  const count = h("span", { class: "muted", role: "status" });
  const detail = h("div", { class: "card fm-card", hidden: true });
  const list = h("div", { class: "fm-log", role: "grid", tabIndex: 0, "aria-label": t("node.log"),
    on: {
      keydown: (/** @type {KeyboardEvent} */ event) => key(event),
      click: (/** @type {MouseEvent} */ event) => {
        const row = /** @type {Element} */ (event.target).closest("[aria-rowindex]");
        if (row) choose(Number(row.getAttribute("aria-rowindex")) - 1);
      },
      wheel: () => { follow.control.checked = atEnd(); },
      scroll: () => { if (atEnd() && at < 0) follow.control.checked = true; },
    } });
  const rows = new VirtualRows({ scroller: list, rowHeight: 26, headerRows: 0,
    create: () => h("div", { role: "row", class: "fm-log-row" }),
    render: (i, row) => {
      const line = shown[i];
      if (!line) return;
      clear(row);
      row.id = `${id}-${i}`;
      row.className = `fm-log-row ${line.level}`;
      row.setAttribute("aria-selected", String(i === at));
      row.append(h("time", { role: "gridcell", dateTime: line.time, text: clock.format(Date.parse(line.time)) }),
        h("span", { role: "gridcell", class: "fm-level", text: t(`node.level.${line.level}`) }),
        h("span", { role: "gridcell", class: "fm-log-text" }, name(textOf(line))));
    } });
  const atEnd = () => list.scrollTop + list.clientHeight >= list.scrollHeight - 26;
  const filter = () => {
    const chosen = shown[at]?.seq;
    shown = filterLines(all, level.value, search.value);
    at = chosen === undefined ? -1 : shown.findIndex((line) => line.seq === chosen);
    rows.setCount(shown.length);
    rows.refresh();
    if (follow.control.checked && shown.length) rows.scrollTo(shown.length - 1);
    setText(count, t("node.nLines", { n: shown.length }));
  };
  const choose = (/** @type {number} */ i) => {
    at = Math.max(0, Math.min(i, shown.length - 1));
    const line = shown[at];
    if (!line) return;
    if (at < shown.length - 1) follow.control.checked = false;
    list.setAttribute("aria-activedescendant", `${id}-${at}`);
    rows.scrollTo(at);
    rows.refresh();
    detail.replaceChildren(h("p", null, h("strong", null, name(line.text))), facts([
      [t("node.time"), date(line.time)], ...Object.entries(line.values ?? {}).map(([name_, value]) =>
        /** @type {[string, Node]} */ ([name_, name(value)]))]),
    button(t("node.copyLine"), () => copy(`${line.time} ${line.level} ${textOf(line)}`), "btn-small"));
    show(detail, true);
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1,
      PageDown: at + rows.page(), PageUp: at - rows.page() }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(at < 0 ? shown.length - 1 : to);
  };
  panel.append(h("div", { class: "fm-row" }, level, search, follow.element, count), list, detail);
  const stop = poll(async () => {
    const page = await api.get("/log", { since });
    if (page.next < since) all = []; // the node was started again
    since = page.next;
    if (page.lines.length === 0 && shown.length) return;
    all = all.concat(page.lines).slice(-LINES);
    filter();
  }, POLL);
  return () => {
    stop();
    rows.close();
  };
}
