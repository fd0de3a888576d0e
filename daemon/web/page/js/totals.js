// @ts-check
// The line of totals below everything.
import { Problem, api } from "./api.js";
import { h, icon, setAttr, setText, show } from "./dom.js";
import { bytes, number, rate } from "./format.js";
import { t } from "./i18n.js";
import { store } from "./store.js";

/** How often the free space and the node are asked for, in milliseconds. */
const every = 30_000;
/** How long the node may take to answer, in milliseconds. */
const patience = 20_000;

/**
 * Mounts the totals.
 * @param {HTMLElement} container
 * @param {import("./list.js").ListView} list
 */
export function mount(container, list) {
  /** @param {string} sign @param {string} label @param {string} [kind] */
  const part = (sign, label, kind = "") => {
    const text = h("span", { class: "num" });
    const element = h("span", { class: "ls-total " + kind, title: label }, icon(sign),
      h("span", { class: "visually-hidden", text: label }), text);
    container.appendChild(element);
    return { element, text };
  };
  const summary = h("span", { class: "ls-summary ellipsis" });
  container.append(summary);
  const down = part("down", t("totals.down"), "ls-rate");
  const up = part("up", t("totals.up"), "ls-rate");
  const peers = part("share", t("totals.peers"), "ls-wide");
  const dht = part("node", t("totals.dht"), "ls-wide");
  const free = part("folder", t("totals.free"), "ls-wide");

  const stats = () => {
    if (!store.stats) return;
    setText(down.text, rate(store.stats["down-rate"]));
    setText(up.text, rate(store.stats["up-rate"]));
    setText(peers.text, number(store.stats.peers));
  };
  const session = () => {
    const nodes = store.session?.dht;
    show(dht.element, nodes?.on === true);
    if (nodes) setText(dht.text, number(nodes.contacts4 + nodes.contacts6));
  };
  const ask = async () => {
    if (document.hidden || !store.linked) return;
    try {
      store.session = await api.get("/session", {}, { login: false, signal: AbortSignal.timeout(patience) });
      store.emit("session", store.session);
      const space = await api.get("/space", { dir: store.session.dir }, { login: false });
      setText(free.text, t("totals.free-of", { free: bytes(space.free) }));
      setAttr(free.element, "title", t("totals.free") + ": " + space.dir);
      show(free.element, true);
    } catch (err) {
      show(free.element, false);
      // The feed may not have noticed that nobody is there any more.
      if (!(err instanceof Problem) || err.status === 0) store.open();
    }
  };
  show(free.element, false);
  store.on("stats", stats);
  store.on("session", session);
  store.on("link", ask);
  list.follow(() => setText(summary, list.summary()));
  setInterval(ask, every);
  ask();
  setText(summary, list.summary());
}
