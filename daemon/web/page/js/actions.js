// @ts-check
// What can be done with the selected torrents.
import { Problem, api } from "./api.js";
import { confirm, dialog, freshId, toast } from "./dialog.js";
import { h, name } from "./dom.js";
import { bytes } from "./format.js";
import { lang, t } from "./i18n.js";
import { go } from "./router.js";
import { store } from "./store.js";
import { parseLabels } from "./sources.js";
import { parseSize, showSize } from "./units.js";

/** @typedef {import("./store.js").Row} Row */
/** @typedef {import("./dialog.js").Item} Item */

/** The most torrents that a question names. */
const namedMax = 4;
/** The most torrents of one request. */
const bulkMax = 20_000;

/** Shows what went wrong. @param {unknown} err */
export function tellProblem(err) {
  toast(err instanceof Problem ? err.detail || t("list.no-answer") : String(err), { kind: "bad" });
}

/**
 * Does the same to several torrents, and says what went wrong.
 * @param {number[]} ids
 * @param {string} action
 * @param {object} [more]
 * @returns {Promise<boolean>} whether all of it went well
 */
export async function bulk(ids, action, more = {}) {
  try {
    /** @type {any[]} */
    const failed = [];
    for (let i = 0; i < ids.length; i += bulkMax) {
      const result = await api.post("/torrents/bulk", { ids: ids.slice(i, i + bulkMax), action, ...more });
      failed.push(...result.failed);
    }
    if (!failed.length) return true;
    const first = store.torrents.get(failed[0].id)?.name ?? "";
    toast(t("list.failed", { n: failed.length, name: first, error: failed[0].error }), { kind: "bad" });
  } catch (err) {
    tellProblem(err);
  }
  return false;
}

/** @param {number[]} ids @returns {Row[]} */
function rowsOf(ids) {
  return /** @type {Row[]} */ (ids.map((id) => store.torrents.get(id)).filter(Boolean));
}

/** Names the torrents of a question. @param {Row[]} rows */
function named(rows) {
  const more = rows.length - namedMax;
  return h("ul", { class: "ls-named" }, rows.slice(0, namedMax).map((row) => h("li", null, name(row.name))),
    more > 0 && h("li", { class: "muted", text: t("list.and-more", { n: more }) }));
}

/** Asks, and removes torrents. @param {number[]} ids @returns {Promise<boolean>} */
export async function remove(ids) {
  const rows = rowsOf(ids);
  if (!rows.length) return false;
  const have = rows.reduce((sum, row) => sum + row.got, 0);
  const data = h("input", { type: "checkbox" });
  const yes = await confirm({
    title: t("list.remove-title", { n: rows.length }), ok: t("list.remove"), danger: true,
    text: [named(rows), h("label", { class: "check" }, data, h("span", { text: t("list.remove-data", { size: bytes(have) }) }))],
  });
  return yes && bulk(ids, data.checked ? "remove-data" : "remove");
}

/** Asks for labels: those of all torrents, of some, and new ones. @param {number[]} ids */
export function editLabels(ids) {
  const rows = rowsOf(ids);
  const known = new Set([...store.torrents.values()].flatMap((row) => row.labels));
  const boxes = [...known].sort((a, b) => a.localeCompare(b, lang())).slice(0, 500).map((label) => {
    const n = rows.filter((row) => row.labels.includes(label)).length;
    const box = h("input", { type: "checkbox", checked: n === rows.length, indeterminate: n > 0 && n < rows.length });
    return { label, box };
  });
  const fresh = h("input", { class: "input", type: "text", autocomplete: "off" });
  dialog({
    title: t("list.labels-title"), class: "dialog-small",
    body: h("div", { class: "dialog-text" }, named(rows),
      h("div", { class: "ls-boxes" }, boxes.map((one) => h("label", { class: "check" }, one.box, name(one.label)))),
      h("label", { class: "field" }, h("span", { text: t("list.labels-new") }), fresh)),
    actions: [{ label: t("dialog.cancel") }, {
      label: t("list.save"), kind: "primary", submit: true,
      run: async () => {
        const more = parseLabels(fresh.value);
        /** @type {Map<string, {labels: string[], ids: number[]}>} */
        const sets = new Map();
        for (const row of rows) {
          const labels = boxes.filter((one) => (one.box.indeterminate ? row.labels.includes(one.label) : one.box.checked))
            .map((one) => one.label);
          const all = [...new Set([...labels, ...more])];
          const key = JSON.stringify(all);
          const set = sets.get(key) ?? { labels: all, ids: [] };
          set.ids.push(row.id);
          sets.set(key, set);
        }
        for (const set of sets.values()) {
          if (!(await bulk(set.ids, "set", { patch: { labels: set.labels } }))) return false;
        }
        return true;
      },
    }],
  });
}

/** Asks for limits of speed. @param {number[]} ids */
export async function editLimits(ids) {
  const rows = rowsOf(ids);
  let down = 0;
  let up = 0;
  if (rows.length === 1) {
    try {
      ({ down, up } = (await api.get("/torrents/" + rows[0].id)).options);
    } catch (err) {
      return tellProblem(err);
    }
  }
  const hint = freshId("hint");
  /** @param {number} n */
  const field = (n) => h("input", {
    class: "input", type: "text", inputMode: "decimal", autocomplete: "off", value: showSize(n, lang()),
    placeholder: t("list.no-limit"), "aria-describedby": hint,
  });
  const fields = { down: field(down), up: field(up) };
  dialog({
    title: t("list.limits-title"), class: "dialog-small",
    body: h("div", { class: "dialog-text" }, named(rows),
      h("label", { class: "field" }, h("span", { text: t("list.limit-down") }), fields.down),
      h("label", { class: "field" }, h("span", { text: t("list.limit-up") }), fields.up),
      h("p", { class: "muted small", id: hint, text: t("list.limit-hint") })),
    actions: [{ label: t("dialog.cancel") }, {
      label: t("list.save"), kind: "primary", submit: true,
      run: () => {
        const patch = { down: parseSize(fields.down.value, lang()), up: parseSize(fields.up.value, lang()) };
        for (const key of /** @type {("down" | "up")[]} */ (["down", "up"])) {
          const wrong = Number.isNaN(patch[key]);
          fields[key].setAttribute("aria-invalid", String(wrong));
          if (wrong) {
            fields[key].focus();
            return false;
          }
        }
        return bulk(ids, "set", { patch });
      },
    }],
  });
}

/** Asks for a folder, and moves the content there, or says that it lies there. @param {number[]} ids */
export function move(ids) {
  const rows = rowsOf(ids);
  const dirs = [...new Set([...store.torrents.values()].map((row) => row.dir))].sort().slice(0, 100);
  const listId = freshId("dirs");
  const dir = h("input", { class: "input", type: "text", list: listId, value: rows[0]?.dir ?? "", spellcheck: false, autocomplete: "off" });
  const located = h("input", { type: "checkbox" });
  dialog({
    title: t("list.move-title"), class: "dialog-small",
    body: h("div", { class: "dialog-text" }, named(rows),
      h("label", { class: "field" }, h("span", { text: t("list.folder") }), dir,
        h("datalist", { id: listId }, dirs.map((one) => h("option", { value: one })))),
      h("label", { class: "check" }, located, h("span", { text: t("list.located") }))),
    actions: [{ label: t("dialog.cancel") }, {
      label: t("list.move"), kind: "primary", submit: true,
      run: () => {
        if (!dir.value.trim()) {
          dir.focus();
          return false;
        }
        return bulk(ids, located.checked ? "locate" : "move", { dir: dir.value.trim() });
      },
    }],
  });
  dir.select();
}

/** @param {number[]} ids */
async function copyMagnets(ids) {
  try {
    const magnets = [];
    for (const id of ids.slice(0, 200)) magnets.push((await api.get("/torrents/" + id)).magnet);
    await navigator.clipboard.writeText(magnets.join("\n"));
    toast(t("list.copied", { n: magnets.length }), { kind: "good" });
  } catch (err) {
    if (err instanceof Problem) tellProblem(err);
    else toast(t("list.not-copied"), { kind: "bad" });
  }
}

/**
 * The menu of everything that can be done with torrents.
 * @param {number[]} ids
 * @param {(what: {id: number}) => void} share
 * @returns {Item[]}
 */
export function itemsOf(ids, share) {
  const rows = rowsOf(ids);
  const off = !rows.length || !store.may("control");
  /** @param {string} key @param {string} icon @param {() => any} run @param {Partial<Item>} [more] @returns {Item} */
  const item = (key, icon, run, more) => ({ label: t("list." + key), icon, run, disabled: off, ...more });
  /** @param {string} action */
  const all = (action) => () => bulk(ids, action);
  return [
    item("open", "right", () => go("/torrent/" + ids[0] + "/overview"), { hint: "Enter", disabled: rows.length !== 1 }),
    {},
    item("start", "start", all("start"), { hint: "S" }),
    item("start-now", "start", all("start-now")),
    item("stop", "stop", all("stop"), { hint: "P" }),
    item("verify", "verify", all("verify")),
    item("reannounce", "tracker", all("reannounce")),
    {},
    item("labels", "label", () => editLabels(ids)),
    item("limits", "limit", () => editLimits(ids)),
    item("move-to", "folder", () => move(ids)),
    {},
    item("queue-top", "sort-up", all("queue-top")),
    item("queue-up", "sort-up", all("queue-up")),
    item("queue-down", "sort-down", all("queue-down")),
    item("queue-bottom", "sort-down", all("queue-bottom")),
    {},
    item("copy-magnet", "copy", () => copyMagnets(ids), { disabled: !rows.length }),
    item("share-one", "share", () => share({ id: ids[0] }), { disabled: rows.length !== 1 }),
    {},
    item("remove-ask", "remove", () => remove(ids), { hint: t("key.delete"), danger: true }),
  ];
}
