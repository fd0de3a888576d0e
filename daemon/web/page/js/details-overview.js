// The tab that shows a torrent at a glance.
import { api } from "./api.js";
import { clear, h, icon, name, show } from "./dom.js";
import { bytes, date, duration, number, percent, rate, ratio, visible, when } from "./format.js";
import { has, lang, t } from "./i18n.js";
import { button, copy, did, poll } from "./details-parts.js";
import { Graph } from "./graph.js";
import { parseSize, showSize } from "./units.js";

/** Sentences of why a torrent is stuck; English ones come from the node. @type {any} */
const sentences = document.documentElement.lang === "de" ? (await import("./stuck-de.js")).de : null;

/** @typedef {import("./details-parts.js").Open} Open */

/** @param {Open} open @returns {import("./details-parts.js").Tab} */
export function overview(open) {
  const stuck = h("div", { class: "dt-stuck", role: "status", hidden: true });
  const numbers = h("dl", { class: "dt-numbers" }), facts = h("dl", { class: "dt-facts" });
  const waste = h("div"), graph = new Graph({ label: t("details.graph") });
  const form = options(open);
  const element = h("div", { class: "dt-body dt-over" }, stuck, numbers, graph.element,
    form.element, h("div", null, h("h3", { text: t("details.about") }), facts), waste);
  /** @type {Map<string, HTMLElement>} */
  const cells = new Map();
  const draw = (/** @type {any} */ d) => {
    explain(stuck, d);
    table(numbers, cells, figures(d.torrent));
    table(facts, cells, about(d));
    wasted(waste, d);
    form.set(d.options);
  };
  if (open.details) draw(open.details);
  const poller = poll(async () => draw(await open.load()), 2000, open.failed);
  const speeds = poll(async (signal) =>
    graph.set(await api.get(`${open.path}/speed`, {}, { signal })), 5000, () => {});
  return { element, close: () => { poller.close(); speeds.close(); graph.close(); } };
}

/** Says why the torrent does not get on. @param {HTMLElement} box @param {any} d */
function explain(box, d) {
  const error = d.torrent.error, s = d.stuck;
  const said = error ? [error] : s?.reason ? verdict(s) : [];
  if (error && s?.advice) said.push(verdict(s)[1]);
  show(box, said.length > 0);
  const text = said.join("\n");
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.className = `dt-stuck ${error ? "dt-bad" : ""}`;
  clear(box);
  box.append(icon(error ? "error" : "stuck"), h("div", null, said.map((line, i) =>
    h("p", { class: i ? "muted" : "dt-strong" }, name(line)))));
}

/** The sentence and the advice for a reason. @param {any} s @returns {string[]} */
function verdict({ reason, text, advice, values }) {
  const own = sentences?.(reason, values ?? {}, { bytes, rate, number });
  return own ?? [text, advice];
}

/** @param {any} r @returns {Array<[string, string]>} */
function figures(r) {
  return [
    ["progress", r["have-info"] ? percent(r.got, r.wanted) :
      percent(r["metadata-have"], r["metadata-size"])],
    ["downRate", rate(r["down-rate"])], ["upRate", rate(r["up-rate"])],
    ["eta", r.eta === undefined ? "–" : duration(r.eta)],
    ["ratio", r.ratio === undefined ? "–" : ratio(r.ratio)],
    ["peersOf", t("details.peersText", { n: r.peers, seeds: number(r.seeds), known: number(r["peers-known"]) })],
  ];
}

/** @param {any} d @returns {Array<[string, any]>} */
function about(d) {
  const r = d.torrent, line = (/** @type {string} */ s) => (s ? [s, true] : "");
  const past = (/** @type {string} */ iso) => (iso ? `${date(iso)} (${when(iso)})` : "");
  return [
    ["size", r["have-info"] ? t("details.sizeText", { n: r.files, size: bytes(r.size), wanted: bytes(r.wanted) }) : ""],
    ["left", bytes(r.left)], ["down", bytes(r.down)], ["up", bytes(r.up)],
    ["added", past(r.added)], ["completed", past(r.completed)], ["lastActive", past(r["last-active"])],
    ["active", duration(r.active)], ["seeding", duration(r.seeding)],
    ["folder", line(r.dir)], ["v1", line(d.v1 ?? "")], ["v2", line(d.v2 ?? "")], ["magnet", line(d.magnet)],
    ["pieces", r.pieces ? `${number(r.pieces)} × ${bytes(r["piece-length"])}` : ""],
    ["private", r.private ? t("details.isPrivate") : ""],
    ["creator", d.creator ?? ""], ["created", d.created ? date(d.created) : ""], ["comment", d.comment ?? ""],
  ];
}

/**
 * Fills a list of facts; those without a value are left out. A value in an array can be copied.
 * @param {HTMLElement} list @param {Map<string, HTMLElement>} cells @param {Array<[string, any]>} rows
 */
function table(list, cells, rows) {
  for (const [key, value] of rows) {
    const text = Array.isArray(value) ? value[0] : value;
    let cell = cells.get(key);
    if (!cell) {
      cell = h("div", { class: "dt-fact" }, h("dt", { text: t(`details.${key}`) }), h("dd"));
      cells.set(key, cell);
      list.append(cell);
    }
    show(cell, text !== "");
    const dd = /** @type {HTMLElement} */ (cell.lastElementChild);
    if (dd.dataset.text === text) continue;
    dd.dataset.text = text;
    dd.replaceChildren(name(text));
    if (Array.isArray(value)) {
      dd.classList.add("dt-line", "mono");
      dd.append(button("copy", t("details.copy", { what: t(`details.${key}`) }), () => copy(text)));
    }
  }
}

/** Says what was received without use, and why. @param {HTMLElement} box @param {any} d */
function wasted(box, d) {
  const all = Object.entries(d.waste ?? {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  const text = JSON.stringify(all);
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  clear(box);
  if (!all.length) return;
  box.append(h("h3", { text: t("details.wasted", { size: bytes(d.torrent.wasted) }) }),
    h("ul", { class: "dt-waste" }, all.map(([why, n]) => h("li", null, h("span", { class: "num" }, bytes(n)), " ",
      has(`details.waste.${why}`) ? t(`details.waste.${why}`) : visible(why)))));
}

/** The options that the user may change. @param {Open} open */
function options(open) {
  const input = (/** @type {string} */ key, /** @type {any} */ o = {}) => h("label", { class: "field" },
    h("span", { text: t(`details.${key}`) }), h("input", { type: "text", name: key, autocomplete: "off",
      spellcheck: false, disabled: !open.may, ...o }));
  const labels = input("labels", { placeholder: t("details.labelsAbout") });
  const down = input("downLimit", { placeholder: t("details.noLimit"), inputMode: "decimal" });
  const up = input("upLimit", { placeholder: t("details.noLimit"), inputMode: "decimal" });
  const most = input("mostPeers", { placeholder: t("details.byDefault"), inputMode: "numeric" });
  const sequential = h("input", { type: "checkbox", name: "sequential", disabled: !open.may });
  const of = (/** @type {HTMLElement} */ label) => /** @type {HTMLInputElement} */ (label.lastElementChild);
  let touched = false;
  const save = h("button", { class: "btn btn-primary", type: "submit", text: t("details.save"), disabled: true });
  const touch = (/** @type {boolean} */ on) => { touched = on; save.disabled = !on; };
  /** @param {any} o */
  const set = (o) => {
    if (touched) return;
    of(labels).value = o.labels.join(", ");
    of(down).value = showSize(o.down, lang());
    of(up).value = showSize(o.up, lang());
    of(most).value = o["max-peers"] ? String(o["max-peers"]) : "";
    sequential.checked = o.sequential;
  };
  const submit = async (/** @type {Event} */ e) => {
    e.preventDefault();
    const numbers = [of(down), of(up), of(most)].map((el, i) => {
      const s = el.value.trim(), n = i < 2 ? parseSize(s, lang()) : s ? Number(s) : 0;
      const ok = Number.isInteger(n) && n >= 0;
      el.setAttribute("aria-invalid", String(!ok));
      el.setCustomValidity(ok ? "" : t("details.badNumber"));
      return n;
    });
    if (!form.reportValidity()) return;
    const patch = { labels: of(labels).value.split(",").map((l) => l.trim()).filter(Boolean),
      down: numbers[0], up: numbers[1], "max-peers": numbers[2], sequential: sequential.checked };
    if (await did(api.patch(open.path, patch), t("details.saved"))) {
      touch(false);
      open.load().then((d) => set(d.options), open.failed);
    }
  };
  const form = h("form", { class: "dt-options", noValidate: false, "aria-label": t("details.options"),
    on: { submit, input: (/** @type {Event} */ e) => {
      if (e.target instanceof HTMLInputElement) e.target.setCustomValidity("");
      touch(true);
    } } }, h("h3", { text: t("details.options") }), labels, down, up, most,
  h("label", { class: "check" }, sequential, t("details.sequential")), open.may && h("div", null, save));
  return { element: form, set };
}
