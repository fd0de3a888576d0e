// @ts-check
// Where the user is, in the fragment of the address.

/**
 * @typedef {object} Route
 * @property {"list" | "torrent" | "node" | "add" | "share"} page
 * @property {number} id of the torrent, 0 for none
 * @property {string} tab
 * @property {URLSearchParams} query
 */

const tabs = {
  torrent: ["overview", "files", "peers", "trackers", "pieces"],
  node: ["status", "limits", "settings", "log"],
};

/**
 * Reads a fragment. What is not known is the list.
 * @param {string} fragment
 * @returns {Route}
 */
export function parse(fragment) {
  const [path, search] = fragment.replace(/^#?\/?/, "").split(/\?(.*)/s, 2);
  const parts = path.split("/");
  const query = new URLSearchParams(search ?? "");
  const page = parts[0];
  if (page === "torrent" && /^[1-9][0-9]{0,15}$/.test(parts[1] ?? "")) {
    return { page, id: Number(parts[1]), tab: tabOf(tabs.torrent, parts[2]), query };
  }
  if (page === "node") return { page, id: 0, tab: tabOf(tabs.node, parts[1]), query };
  if (page === "add" || page === "share") return { page, id: 0, tab: "", query };
  return { page: "list", id: 0, tab: "", query };
}

/** @param {string[]} known @param {string | undefined} tab */
function tabOf(known, tab) {
  return tab !== undefined && known.includes(tab) ? tab : known[0];
}

/** @returns {Route} */
export function route() {
  return parse(location.hash);
}

/**
 * Goes to a path such as /torrent/5/files.
 * @param {string} path
 * @param {{replace?: boolean}} [options] replace leaves no step to go back to
 */
export function go(path, options) {
  const hash = "#" + path;
  if (location.hash === hash) return;
  if (options?.replace) {
    history.replaceState(null, "", hash);
    for (const fn of followers) fn(route());
  } else location.hash = hash;
}

/** @type {Set<(route: Route) => void>} */
const followers = new Set();

/**
 * Follows where the user goes.
 * @param {(route: Route) => void} fn
 * @returns {() => void} ends it
 */
export function onRoute(fn) {
  followers.add(fn);
  return () => followers.delete(fn);
}

globalThis.addEventListener?.("hashchange", () => {
  for (const fn of followers) fn(route());
});
