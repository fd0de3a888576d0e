// @ts-check
// The node: how it is connected, and the tabs limits, settings and log.
import { api } from "./api.js";
import { confirm, toast } from "./dialog.js";
import { clear, h, setAttr } from "./dom.js";
import { button, card, facts, sentence, session } from "./forms.js";
import { bytes, date, duration, number, rate, ratio } from "./format.js";
import { Graph } from "./graph.js";
import { has, t } from "./i18n.js";
import { store } from "./store.js";

const TABS = ["status", "limits", "settings", "log"];
const POLL = 3000; // milliseconds

/**
 * Shows a tab of the node.
 * @param {HTMLElement} container
 * @param {{tab: string}} params
 * @returns {(() => void) & {update: (params: {tab: string}) => void}} takes it away
 */
export function mount(container, { tab }) {
  const links = TABS.map((one) => h("a", { href: `#/node/${one}`, text: t(`node.${one}`) }));
  const panel = h("div", { class: "fm-panel" });
  clear(container);
  container.append(h("div", { class: "fm-page" }, h("h1", { text: t("node.title") }),
    h("nav", { class: "tabs", "aria-label": t("node.title") }, links), panel));
  let round = 0;
  let unmount = () => {};
  const show = async (/** @type {string} */ one) => {
    const mine = ++round;
    unmount();
    unmount = () => {};
    clear(panel);
    links.forEach((link, i) => setAttr(link, "aria-current", TABS[i] === one ? "page" : null));
    try {
      const [mounted] = await Promise.all([load(one), session()]);
      if (mine === round) unmount = mounted(panel);
    } catch (err) {
      panel.append(h("p", { class: "fm-error", role: "alert", text: sentence(err) }));
    }
  };
  show(tab);
  return Object.assign(() => {
    round++;
    unmount();
  }, { update: (/** @type {{tab: string}} */ params) => { show(params.tab); } });
}

/** @param {string} tab @returns {Promise<(panel: HTMLElement) => () => void>} */
async function load(tab) {
  if (tab === "limits") return (await import("./limits.js")).mount;
  if (tab === "settings") return (await import("./settings.js")).mount;
  if (tab === "log") return (await import("./log.js")).mount;
  return status;
}

/**
 * Calls a function now and then, while the page can be seen.
 * @param {() => Promise<void>} fn
 * @param {number} every in milliseconds
 * @returns {() => void} ends it
 */
export function poll(fn, every) {
  let ended = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const round = async () => {
    clearTimeout(timer);
    if (!document.hidden) await fn().catch(() => {});
    if (!ended) timer = setTimeout(round, every);
  };
  round();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

/** @param {HTMLElement} panel */
function status(panel) {
  const cards = h("div", { class: "fm-cards" });
  const graph = new Graph({ label: t("node.graph") });
  panel.append(cards, card(t("node.graph"), graph.element), actions());
  const reread = button(t("node.reread"), async () => {
    const { ranges } = await api.post("/blocklist");
    toast(t("node.rereadDone", { n: ranges }), { kind: "good" });
  });
  reread.disabled = !store.may("admin");
  const parts = Object.fromEntries(["reach", "addresses", "dht", "traffic", "process", "blocklist"]
    .map((key) => [key, h("div")]));
  for (const [key, part] of Object.entries(parts)) {
    cards.append(card(t(`node.${key}`), part, key === "blocklist" && reread));
  }
  // What has not changed stays, so that text can be selected.
  const fill = (/** @type {string} */ key, /** @type {(Node | false | "" | undefined)[]} */ ...rows) => {
    const next = h("div", null, rows);
    if (next.isEqualNode(parts[key])) return;
    parts[key].replaceWith(next);
    parts[key] = next;
  };
  /** @type {any} */
  let space;
  return poll(async () => {
    const s = await api.get("/session");
    space ??= await api.get("/space").catch(() => undefined);
    fill("reach", ...reach(s.node, s.dht));
    fill("addresses", ...addresses(s.node));
    fill("dht", dht(s.dht));
    fill("traffic", traffic(s.stats));
    fill("process", process(s, space));
    fill("blocklist", facts([[t("node.ranges"), number(s.node["blocked-ranges"])],
      [t("node.refused"), number(s.node.blocked)]]));
    graph.set(await api.get("/speed"));
  }, POLL);
}

/**
 * Says in words how others reach the node, and what to do about it.
 * @param {any} node
 * @param {any} dht
 */
function reach(node, dht) {
  const open = (/** @type {string} */ way) => way === "open" || way === "mapped";
  const [tcp, utp] = [open(node.tcp), open(node.utp)];
  let key = tcp && utp ? "both" : tcp ? "tcp" : utp ? "utp" : node.utp;
  if (key === "none" && node.tcp === "unknown") key = "unknown";
  const kind = tcp && utp ? "good" : tcp || utp || key === "unknown" ? "" : "warn";
  return [h("p", { class: `fm-reach ${kind}`, text: t(`node.reach.${key}`) }),
    has(`node.advice.${key}`) && h("p", { text: t(`node.advice.${key}`) }),
    node["proxy-away"] && h("p", { class: "fm-error", text: t("node.proxyAway") }),
    dht.on && !dht.joined && h("p", { class: "fm-error", text: t("node.dhtAlone") }),
    node.why && h("p", { class: "muted", lang: "en", text: node.why })];
}

/** @param {string[]} list */
function lines(list) {
  return list.length ? h("ul", { class: "fm-lines" }, list.map((text) => h("li", null,
    h("bdi", { text })))) : undefined;
}

/** @param {any} node @returns {boolean} Whether others cannot reach the node by themselves. */
function hidden(node) {
  return ![node.tcp, node.utp].some((way) => way === "open" || way === "mapped");
}

/** @param {any} node */
function addresses(node) {
  return [facts([[t("node.listen"), lines(node.listen)], [t("node.external"), lines(node.external)],
    [t("node.relayed"), lines(node.relayed)]]),
  node.mappings.length > 0 && h("table", { class: "table" }, h("caption", { text: t("node.mapping") }),
    h("thead", null, h("tr", null, ["port", "external", "by"].map((key) => h("th", { scope: "col",
      text: t(`node.${key}`) })))),
    h("tbody", null, node.mappings.map((/** @type {any} */ m) => h("tr", null,
      h("th", { scope: "row", text: `${m.protocol.toUpperCase()} ${m.port}` }),
      m.by ? [h("td", { text: m.external }), h("td", { text: m.by })] :
        h("td", { colSpan: 2, class: m.error && hidden(node) ? "bad" : "muted", text: m.error || t("node.unmapped") })))))];
}

/** @param {any} d */
function dht(d) {
  if (!d.on) return h("p", { text: t("node.dhtOff") });
  return facts([[t("node.dhtState"), t(d.joined ? "node.joined" : "node.joining")],
    [t("node.contacts", { family: "IPv4" }), number(d.contacts4)],
    [t("node.contacts", { family: "IPv6" }), number(d.contacts6)],
    [t("node.queries"), number(d.queries)], [t("node.answers"), number(d.answers)],
    [t("node.sent"), bytes(d["bytes-out"])]]);
}

/** @param {any} s */
function traffic(s) {
  return facts([[t("node.now"), `↓ ${rate(s["down-rate"])}  ↑ ${rate(s["up-rate"])}`],
    [t("node.run"), `↓ ${bytes(s.down)}  ↑ ${bytes(s.up)}`],
    [t("node.allRuns"), `↓ ${bytes(s["all-down"])}  ↑ ${bytes(s["all-up"])}`],
    [t("node.ratio"), s["all-down"] ? ratio(s["all-up"] / s["all-down"]) : "–"],
    [t("node.peers"), number(s.peers)]]);
}

/** @param {any} s @param {any} space */
function process(s, space) {
  const memory = bytes(s.memory.used);
  return facts([[t("node.version"), s.version],
    [t("node.started"), `${date(s.started)} (${duration((Date.now() - Date.parse(s.started)) / 1000)})`],
    [t("node.memory"), s.memory.limit ? t("add.of", { wanted: memory, size: bytes(s.memory.limit) }) : memory],
    [t("node.user"), s.user ? h("bdi", { text: s.user }) : undefined],
    [t("node.scope"), t(`node.scope.${s.scope}`)], [t("node.dir"), h("bdi", { text: s.dir })],
    [t("node.space"), space && t("add.of", { wanted: bytes(space.free), size: bytes(space.total) })]]);
}

/** What the whole node does at a word. */
function actions() {
  const admin = store.may("admin");
  const reload = button(t("node.reload"), async () => {
    const { changed, restart } = await api.post("/reload");
    toast([changed.length ? t("node.reloaded", { names: changed.join(", ") }) : t("node.reloadedNone"),
      restart.length ? t("node.restart", { names: restart.join(", ") }) : ""].join(" "),
    { kind: "good", seconds: restart.length ? 20 : undefined });
  });
  const down = button(t("node.shutdown"), async () => {
    if (!await confirm({ title: t("node.shutdown"), text: t("node.shutdownText"),
      ok: t("node.shutdown"), danger: true })) return;
    await api.post("/shutdown");
    toast(t("node.shutdownDone"));
  }, "btn-danger");
  const out = button(t("login.out"), async () => {
    await api.post("/logout");
    location.reload();
  });
  reload.disabled = down.disabled = !admin;
  return h("div", { class: "fm-row" }, reload, store.session?.user && out, down,
    !admin && h("p", { class: "muted", text: t("node.admin") }));
}
