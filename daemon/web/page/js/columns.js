// @ts-check
// The columns of the list: what they show of a torrent, and what they sort by.
import { h, icon, setAttr, setIcon, setText } from "./dom.js";
import { bytes, date, duration, number, percent, rate, ratio, visible } from "./format.js";
import { has, lang, t } from "./i18n.js";
import { isComplete, isStuck } from "./filter.js";

/** @typedef {import("./store.js").Row} Row */
/** @typedef {{icon: string, kind: string, text: string}} Status */

/** How far a torrent has come: a share of its size, of its check, or of its metadata. @param {Row} row */
export function progressOf(row) {
  if (row.status === "checking" && row["check-total"] > 0) return row.checked / row["check-total"];
  if (!row["have-info"]) return row["metadata-size"] > 0 ? row["metadata-have"] / row["metadata-size"] : 0;
  return row.wanted > 0 ? row.got / row.wanted : row.left === 0 ? 1 : 0;
}

/** Says what a torrent does, in a few words. @param {Row} row @returns {Status} */
export function statusOf(row) {
  if (row["move-total"] > 0) {
    return { icon: "folder", kind: "", text: t("list.moving", { part: percent(row.moved, row["move-total"]) }) };
  }
  if (row.error) return { icon: "error", kind: "bad", text: t("list.error", { error: shortError(row.error) }) };
  if (row.temporary) return { icon: "start", kind: "muted", text: t("list.temporary") };
  switch (row.status) {
    case "checking":
      return { icon: "verify", kind: "", text: t("list.checking", { part: percent(row.checked, row["check-total"]) }) };
    case "check-queued": return { icon: "queued", kind: "muted", text: t("list.status.check-queued") };
    case "stopped":
      if (row.finished) return { icon: "check", kind: "good", text: t("list.finished") };
      if (isComplete(row)) return { icon: "check", kind: "muted", text: t("list.stopped-complete") };
      return { icon: "stop", kind: "muted", text: t("list.status.stopped") };
    case "download-queued":
    case "seed-queued": return { icon: "queued", kind: "muted", text: t("list.status." + row.status) };
    case "seeding":
      if (!row["up-rate"]) return { icon: "up", kind: "muted", text: t("list.seeding-idle") };
      return { icon: "up", kind: "good", text: t("list.status.seeding") };
  }
  if (isStuck(row)) return { icon: "stuck", kind: "warn", text: stuckText(row.stuck) };
  if (!row["have-info"]) return { icon: "search", kind: "accent", text: t("list.metadata") };
  return { icon: "down", kind: "accent", text: t("list.status.downloading") };
}

/** Leaves out the path that an error begins with. @param {string} error */
function shortError(error) {
  const end = error.lastIndexOf(": ");
  return visible(/^(\/|[A-Za-z]:\\)/.test(error) && end > 0 ? error.slice(end + 2) : error);
}

/** @param {string} code @returns {string} Why a torrent is stuck, in a few words. */
export function stuckText(code) {
  const key = "stuck." + code;
  const text = has(key) ? t(key) : t("list.stuck", { code });
  return text.charAt(0).toLocaleUpperCase(lang()) + text.slice(1);
}

/** What to do about it, if that needs no numbers, which only the details have. @param {Row} row */
function adviceOf(row) {
  const key = `stuck.${row.stuck}.advice`;
  const text = isStuck(row) && has(key) ? t(key) : "";
  return text && !text.includes("{") ? ". " + text : "";
}

const order = ["downloading", "checking", "check-queued", "download-queued", "seeding", "seed-queued", "stopped"];

/**
 * @typedef {object} Column
 * @property {string} id
 * @property {number} width in CSS pixels; the name takes what is left
 * @property {number} weight columns of less weight go first when there is too little room
 * @property {boolean} [num] numbers, which stand at the end
 * @property {boolean} [down] the first click sorts the largest first
 * @property {(row: Row) => string | number} key what to sort by
 * @property {(row: Row) => string} text
 */

/** @param {number} n @returns {string} A rate, or nothing. */
const rateText = (n) => (n > 0 ? rate(n) : "");

/** @type {Column[]} */
export const columns = [
  { id: "name", width: 260, weight: 100, key: (row) => row.name, text: (row) => visible(row.name) },
  { id: "progress", width: 126, weight: 95, down: true, key: progressOf, text: (row) => percent(progressOf(row), 1) },
  { id: "size", width: 82, weight: 80, num: true, down: true, key: (row) => row.wanted || row.size,
    text: (row) => (row["have-info"] ? bytes(row.wanted) : "") },
  { id: "status", width: 208, weight: 92,
    key: (row) => (row.error ? -2 : isStuck(row) ? -1 : order.indexOf(row.status)),
    text: (row) => statusOf(row).text },
  { id: "down-rate", width: 86, weight: 90, num: true, down: true, key: (row) => row["down-rate"],
    text: (row) => rateText(row["down-rate"]) },
  { id: "up-rate", width: 86, weight: 88, num: true, down: true, key: (row) => row["up-rate"],
    text: (row) => rateText(row["up-rate"]) },
  { id: "eta", width: 94, weight: 70, num: true, key: (row) => (row.eta < 0 ? Infinity : row.eta),
    text: (row) => (row.eta < 0 ? "" : duration(row.eta)) },
  { id: "peers", width: 72, weight: 60, num: true, down: true, key: (row) => row.peers,
    text: (row) => (row.peers ? t("list.of", { part: row.seeds, whole: row.peers }) : "") },
  { id: "ratio", width: 58, weight: 50, num: true, down: true, key: (row) => row.ratio,
    text: (row) => (row.ratio < 0 ? "" : ratio(row.ratio)) },
  { id: "labels", width: 110, weight: 40, key: (row) => row.labels.join(", "),
    text: (row) => row.labels.map(visible).join(", ") },
  { id: "added", width: 150, weight: 30, down: true, key: (row) => Date.parse(row.added) || 0,
    text: (row) => (row.added ? date(row.added) : "") },
  { id: "completed", width: 150, weight: 20, down: true, key: (row) => Date.parse(row.completed) || 0,
    text: (row) => (row.completed ? date(row.completed) : "") },
  { id: "left", width: 88, weight: 28, num: true, down: true, key: (row) => row.left,
    text: (row) => (row.left ? bytes(row.left) : "") },
  { id: "down", width: 88, weight: 27, num: true, down: true, key: (row) => row.down, text: (row) => bytes(row.down) },
  { id: "up", width: 88, weight: 26, num: true, down: true, key: (row) => row.up, text: (row) => bytes(row.up) },
  { id: "tracker", width: 150, weight: 25, key: (row) => row.tracker, text: (row) => visible(row.tracker) },
  { id: "dir", width: 180, weight: 24, key: (row) => row.dir, text: (row) => visible(row.dir) },
  { id: "queue", width: 64, weight: 22, num: true, key: (row) => row.queue, text: (row) => number(row.queue + 1) },
];

/** The columns that are shown until the user chooses. */
export const usual = ["name", "progress", "size", "status", "down-rate", "up-rate", "eta", "peers", "ratio", "labels", "added"];

/**
 * Returns those of the columns for which there is room, the least important ones left out.
 * @param {string[]} wanted
 * @param {number} room in CSS pixels
 * @returns {Column[]}
 */
export function fitting(wanted, room) {
  const list = columns.filter((one) => one.id === "name" || wanted.includes(one.id));
  let sum = list.reduce((all, one) => all + one.width, 0);
  while (sum > room && list.length > 1) {
    const least = list.reduce((a, b) => (b.weight < a.weight ? b : a));
    list.splice(list.indexOf(least), 1);
    sum -= least.width;
  }
  return list;
}

/**
 * The cells of a row, which fill shows a torrent in. Rows are used again for others.
 * @param {Column[]} shown
 * @returns {{cells: HTMLElement[], fill: (row: Row) => void}}
 */
export function cellsOf(shown) {
  /** @type {((row: Row) => void)[]} */
  const fills = [];
  const cells = shown.map((column) => {
    const cell = h("div", { role: "gridcell", class: "ls-cell ls-c-" + column.id + (column.num ? " num" : "") });
    if (column.id === "name") {
      const sign = icon("");
      const text = h("bdi", { class: "ellipsis" });
      cell.append(sign, text);
      fills.push((row) => {
        const status = statusOf(row);
        setIcon(sign, status.icon);
        setAttr(sign, "class", "icon " + status.kind);
        setText(text, column.text(row));
        setAttr(cell, "title", text.textContent ?? "");
      });
    } else if (column.id === "progress") {
      const { element, fill } = bar();
      const text = h("span", { class: "num" });
      cell.append(element, text);
      fills.push((row) => {
        fill(row);
        setText(text, column.text(row));
      });
    } else if (column.id === "status") {
      cell.classList.add("ellipsis");
      fills.push((row) => {
        const status = statusOf(row);
        setText(cell, status.text);
        setAttr(cell, "title", status.text + adviceOf(row));
        setAttr(cell, "data-kind", status.kind);
      });
    } else {
      const text = cell.appendChild(h("bdi"));
      cell.classList.add(column.num ? "ls-plain" : "ellipsis");
      fills.push((row) => {
        setText(text, column.text(row));
        if (!column.num) setAttr(cell, "title", text.textContent ?? "");
      });
    }
    return cell;
  });
  return { cells, fill: (row) => fills.forEach((one) => one(row)) };
}

/** A bar of progress; its number stands beside it. */
function bar() {
  const part = h("span");
  const element = h("div", { class: "bar", "aria-hidden": "true" }, part);
  return {
    element,
    /** @param {Row} row */
    fill: (row) => {
      const width = Math.floor(progressOf(row) * 1000) / 10 + "%";
      if (part.style.width !== width) part.style.width = width;
      element.classList.toggle("done", isComplete(row) && row.status !== "checking");
      element.classList.toggle("idle", row.status === "stopped");
    },
  };
}

/**
 * The one cell of a row on a narrow screen: a card of three lines.
 * @returns {{cells: HTMLElement[], fill: (row: Row) => void}}
 */
export function cardOf() {
  const sign = icon("");
  const title = h("bdi", { class: "ls-card-name ellipsis" });
  const progress = bar();
  const left = h("span", { class: "ellipsis" });
  const right = h("span", { class: "num" });
  const cell = h("div", { role: "gridcell", class: "ls-card" },
    h("div", { class: "ls-card-line" }, sign, title), progress.element,
    h("div", { class: "ls-card-line ls-card-facts" }, left, right));
  return {
    cells: [cell],
    fill: (row) => {
      const status = statusOf(row);
      setIcon(sign, status.icon);
      setAttr(sign, "class", "icon " + status.kind);
      setText(title, visible(row.name));
      progress.fill(row);
      const size = !row["have-info"] ? "" : isComplete(row) ? bytes(row.wanted) :
        t("list.of-size", { part: percent(row.got, row.wanted), whole: bytes(row.wanted) });
      const plain = (status.kind === "accent" || status.kind === "good") && size;
      setText(left, plain ? size : [status.text, size].filter(Boolean).join(" · "));
      setAttr(left, "data-kind", plain ? "" : status.kind);
      setText(right, [row["down-rate"] > 0 && "↓ " + rate(row["down-rate"]),
        row["up-rate"] > 0 && "↑ " + rate(row["up-rate"]),
        row["down-rate"] > 0 && row.eta >= 0 && duration(row.eta)].filter(Boolean).join("  "));
    },
  };
}
