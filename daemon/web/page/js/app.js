// @ts-check
// The page: its frame, where its parts are, and what works everywhere in it.
import { api, onLogin } from "./api.js";
import { clear, h, icon, setAttr, setText, show } from "./dom.js";
import { menu, toast } from "./dialog.js";
import { chosenLang, keep, kept, setLang, t } from "./i18n.js";
import { mount as mountList } from "./list.js";
import { logIn } from "./login.js";
import { go, onRoute, route } from "./router.js";
import { store } from "./store.js";

/** @typedef {(() => void) & {update?: (params: any) => void}} Unmount */

onLogin(() => logIn(store.session !== null));

/**
 * Uses a part of the page that is loaded when it is needed.
 * @param {Promise<any>} part
 * @param {(module: any) => any} use
 */
function withPart(part, use) {
  part.then(use).catch((err) => {
    console.error(err);
    toast(t("app.failed", { error: String(err.message ?? err) }), { kind: "bad" });
  });
}

/** Opens the dialog for adding. @param {{magnet?: string, files?: File[]}} [what] */
export function add(what = {}) {
  withPart(import("./add.js"), (part) => part.openAdd(what));
}

/** Opens the dialog for sharing. @param {{id?: number}} [what] */
export function share(what = {}) {
  withPart(import("./share.js"), (part) => part.openShare(what));
}

const main = h("main", { class: "ls-main", id: "main", tabIndex: -1 });
const list = h("section", { class: "ls-list", "aria-label": t("list.torrents") });
const panel = h("section", { class: "ls-panel", "aria-label": t("list.details"), hidden: true });
const page = h("section", { class: "ls-page", hidden: true });
const banner = h("div", { class: "ls-banner", role: "status", hidden: true }, t("app.reconnecting"));

/** What is mounted beside the list, and on pages of its own. @type {Record<"panel" | "page", {key: string, unmount?: Unmount}>} */
const mounted = { panel: { key: "" }, page: { key: "" } };

/**
 * Mounts a part, unless it is there already and only has to be told what to show.
 * @param {"panel" | "page"} where
 * @param {HTMLElement} container
 * @param {string} key of what is mounted, "" for nothing
 * @param {() => Promise<any>} load
 * @param {any} params
 */
function place(where, container, key, load, params) {
  const slot = mounted[where];
  show(container, key !== "");
  if (key && slot.key === key && slot.unmount?.update) {
    slot.unmount.update(params);
    return;
  }
  slot.unmount?.();
  slot.unmount = undefined;
  slot.key = key;
  clear(container);
  if (!key) return;
  withPart(load(), (part) => {
    if (slot.key === key && !slot.unmount) {
      clear(container);
      slot.unmount = part.mount(container, params);
    }
  });
}

/** Shows what the address says. */
function follow() {
  const at = route();
  if (at.page === "add" || at.page === "share") {
    go("/", { replace: true });
    if (at.page === "add") add({ magnet: at.query.get("magnet") ?? undefined });
    else share();
    return;
  }
  document.body.dataset.page = at.page;
  show(list, at.page !== "node");
  const id = at.page === "torrent" ? at.id : 0;
  place("panel", panel, id ? "torrent-" + id : "", () => import("./details.js"), { id, tab: at.tab });
  place("page", page, at.page === "node" ? "node" : "", () => import("./node.js"), { tab: at.tab });
  setAttr(nodeLink, "aria-current", at.page === "node" ? "page" : null);
}

const nodeLink = h("a", { class: "btn btn-icon", href: "#/node/status", "aria-label": t("list.node"), title: t("list.node") },
  icon("node"));

function header() {
  const more = h("button", {
    class: "btn btn-icon", type: "button", "aria-haspopup": "menu", "aria-label": t("list.more"), title: t("list.more"),
    on: { click: () => moreMenu(more) },
  }, icon("settings"));
  return h("header", { class: "ls-top" },
    h("a", { class: "ls-brand", href: "#/" }, h("img", { src: "icon.svg", alt: "", width: 24, height: 24 }),
      h("span", { text: t("app.name") })),
    h("button", { class: "btn btn-primary", type: "button", on: { click: () => add() } }, icon("add"),
      h("span", { class: "ls-wide", text: t("list.add") })),
    h("div", { class: "ls-tools", id: "tools" }), nodeLink, more);
}

/** @param {Element} anchor */
function moreMenu(anchor) {
  const theme = kept("theme");
  menu(anchor, [
    { label: t("list.share"), icon: "share", run: () => share() },
    {},
    ...["", "light", "dark"].map((one) => ({
      label: t("list.theme-" + (one || "auto")), checked: theme === one, run: () => setTheme(one),
    })),
    {},
    ...(/** @type {("" | "en" | "de")[]} */ (["", "en", "de"])).map((one) => ({
      label: one === "en" ? "English" : one === "de" ? "Deutsch" : t("list.lang-auto"),
      checked: chosenLang() === one, run: () => setLang(one),
    })),
    {},
    { label: t("login.out"), icon: "out", disabled: !store.session?.user, run: logOut },
  ]);
}

/** @param {string} theme */
function setTheme(theme) {
  keep("theme", theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

async function logOut() {
  await api.post("/logout", undefined, { login: false }).catch(() => {});
  location.reload();
}

function start() {
  setTheme(kept("theme"));
  main.append(list, panel, page);
  const footer = h("footer", { class: "ls-totals", id: "totals" });
  /** @type {HTMLElement} */ (document.getElementById("app")).append(
    h("a", { class: "ls-skip", href: "#main", text: t("app.skip"),
      on: { click: (/** @type {Event} */ event) => { event.preventDefault(); main.focus(); } } }),
    header(), banner, main, footer);
  mountList(list, {});
  onRoute(follow);
  follow();
  store.on("link", (linked) => show(banner, !linked && store.session !== null));
  store.start();
  setText(footer, "");
}

start();
