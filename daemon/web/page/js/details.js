// The details of one torrent: a panel beside the list, or a page of its own.
import { address, api, Problem } from "./api.js";
import { confirm, menu } from "./dialog.js";
import { clear, h, name, setAttr, setIcon, setText, show } from "./dom.js";
import { percent, rate, visible } from "./format.js";
import { has, t } from "./i18n.js";
import { go } from "./router.js";
import { store } from "./store.js";
import { button, did, sentence } from "./details-parts.js";
import { files } from "./details-files.js";
import { overview } from "./details-overview.js";
import { peers } from "./details-peers.js";
import { pieces } from "./details-pieces.js";
import { trackers } from "./details-trackers.js";

/** @typedef {import("./details-parts.js").Open} Open */

/** @type {Record<string, (open: Open) => import("./details-parts.js").Tab>} */
const tabs = { overview, files, peers, trackers, pieces };

/**
 * Shows the details of a torrent.
 * @param {HTMLElement} container
 * @param {{id: number, tab: string}} params
 */
export function mount(container, { id, tab }) {
  const view = new View(id);
  clear(container);
  container.append(view.element);
  view.open(tab);
  return Object.assign(() => view.close(), {
    update: (/** @type {{tab: string}} */ to) => view.open(to.tab) });
}

class View {
  /** @param {number} id */
  constructor(id) {
    const path = `/torrents/${id}`;
    this.id = id;
    this.path = path;
    /** @type {import("./details-parts.js").Tab | null} */
    this.shown = null;
    this.tab = "";
    this.named = "";
    /** @type {Open} */
    this.of = { id, path, may: store.may("control"), details: null,
      load: async () => {
        this.of.details = await api.get(path);
        this.head();
        return this.of.details;
      },
      failed: (err) => this.failed(err) };
    this.title = h("h2", { class: "dt-name" });
    this.state = h("span", { class: "dt-state" });
    this.fill = h("span");
    this.bar = h("div", { class: "bar", role: "progressbar", "aria-label": t("details.progress"),
      "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
    this.run = button("start", t("details.start"), () => this.startOrStop());
    const more = button("more", t("details.more"), () => this.menu(more));
    more.setAttribute("aria-haspopup", "menu");
    this.problem = h("p", { class: "dt-problem", role: "alert", hidden: true });
    this.panel = h("div", { class: "dt-panel", role: "tabpanel", id: "dt-panel", tabIndex: -1 });
    this.list = h("div", { class: "tabs dt-tabs", role: "tablist",
      "aria-label": t("details.tabs"), on: { keydown: (/** @type {KeyboardEvent} */ e) => this.key(e) } },
    Object.keys(tabs).map((k) => h("button", { type: "button", role: "tab", id: `dt-tab-${k}`,
      "aria-controls": "dt-panel", "data-tab": k, text: t(`details.tab.${k}`),
      on: { click: () => this.goTo(k) } })));
    this.element = h("section", { class: "dt", "aria-label": t("details.title") },
      h("header", { class: "dt-head" },
        h("div", { class: "dt-line" }, this.title, this.of.may && this.run, more,
          button("close", t("dialog.close"), () => go("/"))),
        h("div", { class: "dt-line" }, this.bar, this.state)),
      this.list, this.problem, this.panel);
    this.off = [
      store.on("rows", (ids) => { if (ids.includes(id)) this.head(); }),
      store.on("removed", (ids) => { if (ids.includes(id)) this.gone(); }),
    ];
    this.head();
  }

  /** The torrent, as far as it is known. @returns {any} */
  get row() {
    return store.torrents.get(this.id) ?? this.of.details?.torrent;
  }

  /** Shows the name and how far the torrent is. */
  head() {
    const r = this.row;
    if (!r) return;
    if (this.named !== r.name) this.title.replaceChildren(name(this.named = r.name));
    const whole = r.wanted || r.size;
    const share = r["have-info"] ? (whole ? r.got / whole : 1) : 0;
    const moves = [r["down-rate"] && `↓ ${rate(r["down-rate"])}`, r["up-rate"] && `↑ ${rate(r["up-rate"])}`];
    const why = r.stuck && has(`stuck.${r.stuck}`) ? t(`stuck.${r.stuck}`) : "";
    setText(this.state, [`${t(`list.status.${r.status}`)} ${percent(share, 1)}`, ...moves, why]
      .filter(Boolean).join(" · "));
    this.fill.style.width = share * 100 + "%";
    this.bar.classList.toggle("done", share === 1);
    setAttr(this.bar, "aria-valuenow", Math.floor(share * 100));
    const stopped = r.status === "stopped", label = t(stopped ? "details.start" : "details.stop");
    setIcon(/** @type {Element} */ (this.run.firstElementChild), stopped ? "start" : "stop");
    setAttr(this.run, "aria-label", label);
    setAttr(this.run, "title", label);
  }

  startOrStop() {
    const what = this.row?.status === "stopped" ? "start" : "stop";
    did(api.post(`${this.path}/${what}`).then(() => this.of.load()));
  }

  /** @param {Element} anchor */
  menu(anchor) {
    const post = (/** @type {string} */ what, /** @type {any} */ body, /** @type {string} */ said) =>
      did(api.post(`${this.path}/${what}`, body), said);
    const share = async () => (await import("./share.js")).openShare({ id: this.id });
    menu(anchor, [
      { label: t("details.share"), icon: "share", run: () => void did(share()) },
      { label: t("details.torrentFile"), icon: "file",
        disabled: !this.row?.["have-info"], run: () => {
          h("a", { href: address(`${this.path}/torrent`), download: "" }).click();
        } },
      ...(this.of.may ? [{},
        { label: t("details.startNow"), icon: "start",
          run: () => void post("start", { now: true }, t("details.started")) },
        { label: t("details.verify"), icon: "verify",
          run: () => void post("verify", undefined, t("details.verifying")) },
        { label: t("details.announce"), icon: "tracker",
          run: () => void post("reannounce", undefined, t("details.announced")) },
        { label: t("details.remove"), icon: "remove", danger: true, run: () => void this.remove() },
      ] : []),
    ]);
  }

  async remove() {
    const data = h("input", { type: "checkbox" });
    const yes = await confirm({ title: t("details.remove"), danger: true, ok: t("details.remove"),
      text: [h("p", null, t("details.removeAsk"), " ", name(this.row?.name ?? "")),
        h("label", { class: "check" }, data, t("details.removeData"))] });
    if (yes) await did(api.del(this.path, { data: data.checked || undefined }));
  }

  /** @param {string} tab */
  goTo(tab) {
    go(`/torrent/${this.id}/${tab}`, { replace: true });
    this.open(tab);
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    const all = Object.keys(tabs), at = all.indexOf(this.tab), n = all.length;
    const to = { ArrowLeft: (at + n - 1) % n, ArrowRight: (at + 1) % n, Home: 0, End: n - 1 }[e.key];
    if (to === undefined || e.altKey || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    e.stopPropagation();
    this.goTo(all[to]);
    /** @type {HTMLElement} */ (this.list.children[to]).focus();
  }

  /** Shows a tab. @param {string} tab */
  open(tab) {
    if (!Object.hasOwn(tabs, tab)) tab = "overview";
    if (tab === this.tab) return;
    this.shown?.close();
    this.tab = tab;
    for (const el of this.list.children) {
      const on = /** @type {HTMLElement} */ (el).dataset.tab === tab;
      setAttr(el, "aria-selected", on);
      /** @type {HTMLElement} */ (el).tabIndex = on ? 0 : -1;
      if (on) el.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    setAttr(this.panel, "aria-labelledby", `dt-tab-${tab}`);
    this.failed(null);
    this.shown = tabs[tab](this.of);
    this.panel.className = `dt-panel dt-is-${tab}`;
    this.panel.replaceChildren(this.shown.element);
    this.panel.scrollTop = 0;
    if (!this.row) this.of.load().catch((err) => this.failed(err));
  }

  /** @param {any} err null: all is well again */
  failed(err) {
    if (err instanceof Problem && err.status === 404) return this.gone();
    show(this.problem, err !== null);
    setText(this.problem, err === null ? "" : visible(sentence(err)));
  }

  /** The torrent was removed. */
  gone() {
    this.shown?.close();
    this.shown = null;
    this.element.replaceChildren(h("div", { class: "dt-empty" }, h("p", null, t("details.gone")),
      h("button", { class: "btn", type: "button", text: t("details.back"), on: { click: () => go("/") } })));
  }

  close() {
    this.shown?.close();
    for (const off of this.off) off();
  }
}
