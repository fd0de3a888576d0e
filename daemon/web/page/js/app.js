// @ts-check
// The page: its frame, where its parts are, and what works everywhere in it.
import { api, onLogin } from "./api.js";
import { dialog, menu, toast } from "./dialog.js";
import { clear, h, icon, setAttr, show } from "./dom.js";
import { visible } from "./format.js";
import { chosenLang, keep, kept, setLang, t } from "./i18n.js";
import { ListView } from "./list.js";
import { logIn } from "./login.js";
import { go, onRoute, route } from "./router.js";
import { mount as mountSidebar } from "./sidebar.js";
import { parseSources } from "./sources.js";
import { store } from "./store.js";
import { mount as mountTotals } from "./totals.js";

/** @typedef {(() => void) & {update?: (params: any) => void}} Unmount */

onLogin(() => logIn(store.session ? store.session.user ?? "" : null));
store.start(); // the node answers while the page is made

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
const sidebar = h("nav", { class: "ls-side", "aria-label": t("list.filters") });
const list = h("section", { class: "ls-list", "aria-label": t("list.torrents") });
const splitter = h("div", {
  class: "ls-splitter", role: "separator", tabIndex: 0, "aria-label": t("list.splitter"), hidden: true,
  "aria-valuemin": 20, "aria-valuemax": 80,
});
const panel = h("section", { class: "ls-panel", "aria-label": t("list.details"), hidden: true });
const page = h("section", { class: "ls-page", "aria-label": t("list.node"), hidden: true });
const banner = h("div", { class: "ls-banner", role: "status", hidden: true }, t("app.reconnecting"));
const tools = h("div", { class: "ls-tools", id: "tools" });
const footer = h("footer", { class: "ls-totals" });
const nodeLink = h("a", { class: "btn btn-icon", href: "#/node/status", "aria-label": t("list.node"), title: t("list.node") },
  icon("node"));

/**
 * What is mounted beside the list, and on a page of its own.
 * @type {Record<"panel" | "page", {key: string, params: any, unmount?: Unmount}>}
 */
const mounted = { panel: { key: "", params: null }, page: { key: "", params: null } };

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
  slot.params = params;
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
    if (slot.key !== key || slot.unmount) return;
    clear(container);
    slot.unmount = part.mount(container, slot.params);
  });
}

/** Shows what the address says. */
function follow() {
  const at = route();
  if (at.page === "add" || at.page === "share") {
    document.querySelectorAll("dialog[open]:not(.ls-login-dialog)").forEach((el) => /** @type {HTMLDialogElement} */ (el).close());
    go("/", { replace: true });
    if (at.page === "add") add({ magnet: at.query.get("magnet") ?? undefined });
    else share();
    return;
  }
  document.body.dataset.page = at.page;
  const node = at.page === "node";
  for (const el of [list, sidebar, tools]) show(el, !node);
  const id = at.page === "torrent" ? at.id : 0;
  show(splitter, id > 0);
  place("panel", panel, id ? "torrent-" + id : "", () => import("./details.js"), { id, tab: at.tab, query: at.query });
  place("page", page, node ? "node" : "", () => import("./node.js"), { tab: at.tab, query: at.query });
  setAttr(nodeLink, "aria-current", node ? "page" : null);
  entitle();
}

/** Names the page in the browser's tabs and history. */
function entitle() {
  const at = route();
  const what = at.page === "node" ? t("list.node") : at.page === "torrent" ? visible(store.torrents.get(at.id)?.name ?? "") : "";
  const title = (what ? what.slice(0, 100) + " – " : "") + t("app.name");
  if (document.title !== title) document.title = title;
}

function header() {
  const more = h("button", {
    class: "btn btn-icon", type: "button", "aria-haspopup": "menu", "aria-label": t("list.more"), title: t("list.more"),
    on: { click: () => moreMenu(more) },
  }, icon("menu"));
  return h("header", { class: "ls-top" },
    h("a", {
      class: "ls-skip", href: "#/", text: t("app.skip"),
      on: { click: (/** @type {Event} */ event) => { event.preventDefault(); view.focus(); } },
    }),
    h("h1", { class: "ls-brand" }, h("a", { href: "#/", "aria-label": t("app.name") },
      h("img", { src: "icon.svg", alt: "", width: 24, height: 24 }), h("span", { text: t("app.name") }))),
    h("button", { class: "btn btn-primary ls-add", type: "button", title: t("list.add") + " (A)", on: { click: () => add() } },
      icon("add"), h("span", { text: t("list.add") })),
    tools, h("div", { class: "ls-corner" }, nodeLink, more));
}

/** @param {Element} anchor */
function moreMenu(anchor) {
  const theme = kept("theme");
  menu(anchor, [
    { label: t("list.share"), icon: "share", disabled: !store.may("control"), run: () => share() },
    { label: t("list.magnets"), icon: "link", disabled: !("registerProtocolHandler" in navigator), run: openMagnets },
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
    { label: t("help.title"), icon: "help", hint: "?", run: help },
    { label: t("login.out"), icon: "out", disabled: !store.session?.user, run: logOut },
  ]);
}

/** Offers this page to the browser for magnet links. */
function openMagnets() {
  try {
    navigator.registerProtocolHandler("magnet", location.href.split("#")[0] + "#/add?magnet=%s");
    toast(t("list.magnets-asked"));
  } catch {
    toast(t("list.magnets-refused"), { kind: "bad" });
  }
}

/** @param {string} theme "" is that of the system */
function setTheme(theme) {
  keep("theme", theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

async function logOut() {
  await api.post("/logout", undefined, { login: false }).catch(() => {});
  location.reload();
}

/** The keys, by groups. @type {[string, [string, string[]][]][]} */
const keys = [
  ["help.anywhere", [["search", ["/"]], ["add", ["A"]], ["paste", ["Ctrl", "V"]], ["list", ["L"]], ["node", ["N"]],
    ["help", ["?"]], ["close", ["Esc"]]]],
  ["help.list", [["move", ["↑", "↓", "Page", "Home", "End"]], ["extend", ["Shift", "↑", "↓"]], ["toggle", ["Space"]],
    ["all", ["Ctrl", "A"]], ["open", ["Enter"]], ["start", ["S"]], ["stop", ["P"]], ["remove", ["Delete"]],
    ["menu", ["Shift", "F10"]]]],
];

/** Shows the keys that the page knows. */
function help() {
  const letters = h("input", {
    type: "checkbox", checked: kept("letters") !== "off",
    on: { change: () => keep("letters", letters.checked ? "" : "off") },
  });
  dialog({
    title: t("help.title"),
    body: h("div", { class: "ls-help" },
      keys.map(([title, rows]) => h("section", null, h("h3", { text: t(title) }),
        h("dl", null, rows.flatMap(([what, list]) => [
          h("dt", null, list.map((key) => h("kbd", { text: key.length > 1 ? t("key." + key.toLowerCase()) : key }))),
          h("dd", { text: t("help.key-" + what) })])))),
      h("label", { class: "check" }, letters, h("span", { text: t("help.letters") }))),
    actions: [{ label: t("dialog.close"), kind: "primary", submit: true }],
  });
}

/** @param {EventTarget | null} target @returns {boolean} Whether somebody types there. */
function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open], .menu")) return;
  if (event.key === "Escape" && route().page === "torrent" && !typing(event.target)) {
    go("/");
    view.focus();
    return;
  }
  if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey || kept("letters") === "off") return;
  switch (event.key) {
    case "/":
      go("/");
      view.search.focus();
      view.search.select();
      break;
    case "a": add(); break;
    case "n": go("/node/status"); break;
    case "l":
      if (route().page === "node") go("/");
      view.focus();
      break;
    case "?": help(); break;
    default: return;
  }
  event.preventDefault();
}

/** @param {ClipboardEvent} event */
function onPaste(event) {
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  const files = [...(event.clipboardData?.files ?? [])];
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (files.length) add({ files });
  else if (parseSources(text).sources.length) add({ magnet: text });
  else return;
  event.preventDefault();
}

/** Takes in files and links that are dropped anywhere. */
function acceptDrops() {
  const veil = document.body.appendChild(h("div", { class: "ls-veil", hidden: true },
    h("div", null, icon("add"), h("p", { text: t("list.drop") }))));
  /** @param {DragEvent} event */
  const fits = (event) => {
    const types = event.dataTransfer?.types ?? [];
    return types.includes("Files") || types.includes("text/uri-list") || types.includes("text/plain");
  };
  addEventListener("dragover", (event) => {
    if (!fits(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    show(veil, true);
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) show(veil, false);
  });
  addEventListener("drop", (event) => {
    show(veil, false);
    if (event.defaultPrevented || !fits(event) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    const files = [...(event.dataTransfer?.files ?? [])];
    const text = event.dataTransfer?.getData("text/uri-list") || event.dataTransfer?.getData("text/plain");
    if (files.length) add({ files });
    else if (text) add({ magnet: text });
  });
}

/** Shows the filters over the list, where there is no room for them beside it. */
function openFilters() {
  const hint = document.createComment("");
  sidebar.before(hint);
  const { close } = dialog({
    title: t("list.filters"), body: sidebar, class: "ls-drawer",
    onClose: () => {
      hint.replaceWith(sidebar);
      wide.removeEventListener("change", close);
    },
  });
  wide.addEventListener("change", close);
}
const wide = matchMedia("(min-width: 900px)");

/** Lets the user share out the room between the list and the details, which are below or beside it. */
function split() {
  const beside = matchMedia("(min-width: 1500px)");
  let now = 0;
  /** @param {number} share of the details, in percent */
  const set = (share) => {
    now = Math.round(Math.max(20, Math.min(80, share)));
    main.style.setProperty("--share", String(now));
    setAttr(splitter, "aria-valuenow", now);
    setAttr(splitter, "aria-orientation", beside.matches ? "vertical" : "horizontal");
  };
  const key = () => (beside.matches ? "panel-beside" : "panel-below");
  const load = () => set(Number(kept(key())) || (beside.matches ? 42 : 50));
  splitter.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 5, ArrowLeft: 5, ArrowDown: -5, ArrowRight: -5 }[event.key];
    if (!step) return;
    set(now + step);
    keep(key(), String(now));
    event.preventDefault();
  });
  splitter.addEventListener("pointerdown", (event) => splitter.setPointerCapture(event.pointerId));
  splitter.addEventListener("pointermove", (event) => {
    if (!splitter.hasPointerCapture(event.pointerId)) return;
    const a = list.getBoundingClientRect();
    const b = panel.getBoundingClientRect();
    set(beside.matches ? (b.right - event.clientX) / (b.right - a.left) * 100 :
      (b.bottom - event.clientY) / (b.bottom - a.top) * 100);
  });
  splitter.addEventListener("pointerup", () => keep(key(), String(now)));
  beside.addEventListener("change", load);
  load();
}

setTheme(kept("theme"));
/** @type {HTMLElement} */ (document.getElementById("app")).append(header(), banner, main, footer);
main.append(sidebar, list, splitter, panel, page);
const view = new ListView(list, { tools, add, share, openFilters });
mountSidebar(sidebar, view);
mountTotals(footer, view);
split();
acceptDrops();
document.addEventListener("keydown", onKey);
document.addEventListener("paste", onPaste);
onRoute(follow);
follow();
store.on("rows", entitle);
store.on("link", (linked) => show(banner, !linked && store.session !== null));
