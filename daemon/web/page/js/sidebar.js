// @ts-check
// The filters beside the list, with how many torrents each lets through.
import { dialog, toast } from "./dialog.js";
import { clear, h, icon, setAttr, setText, show } from "./dom.js";
import { anything, filterOf, isAnything } from "./filter.js";
import { number, visible } from "./format.js";
import { keep, kept, t } from "./i18n.js";
import { valueText } from "./list.js";

/** @typedef {import("./filter.js").Group} Group */

/** @type {Partial<Record<Group, string[]>>} */
const fixed = {
  status: ["downloading", "seeding", "complete", "queued", "checking", "stopped"],
  activity: ["active", "stuck", "error"],
};
/** @type {Record<string, string>} */
const icons = {
  downloading: "down", seeding: "up", complete: "check", queued: "queued", checking: "verify", stopped: "stop",
  active: "start", stuck: "stuck", error: "error", label: "label", tracker: "tracker", dir: "folder",
};
/** The most values of a group, and the most filters that are kept. */
const valuesMax = 200;
const savedMax = 50;
/** The most buttons that are kept for values that come and go. */
const shownMax = 2000;

/** @returns {{name: string, filter: import("./filter.js").Filter}[]} */
function savedFilters() {
  try {
    const list = JSON.parse(kept("filters") || "[]");
    return list.filter((/** @type {any} */ one) => typeof one?.name === "string").slice(0, savedMax)
      .map((/** @type {any} */ one) => ({ name: one.name, filter: filterOf(one.filter) }));
  } catch {
    return [];
  }
}

/**
 * Mounts the filters of a list.
 * @param {HTMLElement} container
 * @param {import("./list.js").ListView} list
 */
export function mount(container, list) {
  const listing = list.listing;
  /** @type {Map<string, {button: HTMLButtonElement, count: HTMLElement}>} */
  const shown = new Map();
  /** @type {Map<Group, HTMLElement>} */
  const bodies = new Map();
  const saved = h("div", { class: "ls-group" });
  const savedTitle = h("h2", { class: "ls-group-title", text: t("filter.saved") });
  const all = one("filter", t("filter.all"), () => list.setFilter(anything()));

  /**
   * @param {string} sign
   * @param {string} text
   * @param {(event: MouseEvent) => void} run
   */
  function one(sign, text, run) {
    const count = h("span", { class: "ls-count num" });
    const button = h("button", { class: "ls-filter", type: "button", "aria-pressed": "false", title: visible(text), on: { click: run } },
      icon(sign), h("bdi", { class: "ellipsis", text: visible(text) }), count);
    return { button, count };
  }

  /** @param {Group} group @param {string} value @param {boolean} several */
  function choose(group, value, several) {
    const filter = listing.filter;
    const has = filter[group].includes(value);
    const others = several ? filter[group].filter((other) => other !== value) : [];
    list.setFilter({ ...filter, [group]: has ? others : [...others, value] });
  }

  /** @param {Group} group */
  function section(group) {
    const title = "group-" + group;
    const body = h("div", { class: "ls-group", role: "group", "aria-labelledby": title });
    bodies.set(group, body);
    return [h("h2", { class: "ls-group-title", id: title, text: t("filter.group-" + group) }), body];
  }

  /** @param {Group} group */
  function fill(group) {
    const body = /** @type {HTMLElement} */ (bodies.get(group));
    const values = fixed[group] ?? listing.values(group).map(([value]) => value).slice(0, valuesMax);
    // What is filtered by stays in sight when the last torrent of it goes.
    for (const value of listing.filter[group]) if (!values.includes(value)) values.push(value);
    const only = !fixed[group] && values.length === 1 && values[0] === "" && !listing.filter[group].length;
    const elements = only ? [] : values.map((value) => {
      const key = group + "/" + value;
      let known = shown.get(key);
      if (!known) {
        if (shown.size >= shownMax) shown.clear();
        known = one(icons[value] ?? icons[group], valueText(group, value),
          (event) => choose(group, value, event.ctrlKey || event.metaKey || event.shiftKey));
        shown.set(key, known);
      }
      setText(known.count, number(listing.count(group, value)));
      setAttr(known.button, "aria-pressed", listing.filter[group].includes(value));
      known.button.classList.toggle("none", listing.count(group, value) === 0);
      return known.button;
    });
    if (elements.length !== body.childElementCount || elements.some((el, i) => body.children[i] !== el)) {
      body.replaceChildren(...elements);
    }
    if (body.previousElementSibling instanceof HTMLElement) body.previousElementSibling.hidden = elements.length === 0;
  }

  function fillSaved() {
    clear(saved);
    const filters = savedFilters();
    show(savedTitle, filters.length > 0);
    for (const { name, filter } of filters) {
      const entry = one("filter", name, () => list.setFilter(filter));
      const gone = h("button", {
        class: "btn btn-icon", type: "button", "aria-label": t("filter.forget", { name }), title: t("filter.forget", { name }),
        on: {
          click: () => {
            keep("filters", JSON.stringify(savedFilters().filter((other) => other.name !== name)));
            fillSaved();
          },
        },
      }, icon("close"));
      saved.append(h("div", { class: "ls-saved" }, entry.button, gone));
    }
  }

  function saveFilter() {
    const field = h("input", { class: "input", type: "text", maxLength: 60, value: listing.filter.text });
    dialog({
      title: t("filter.save"), class: "dialog-small",
      body: h("label", { class: "field" }, h("span", { text: t("filter.name") }), field),
      actions: [{ label: t("dialog.cancel") }, {
        label: t("list.save"), kind: "primary", submit: true,
        run: () => {
          const name = field.value.trim();
          if (!name) {
            field.focus();
            return false;
          }
          const others = savedFilters().filter((one) => one.name !== name);
          if (others.length >= savedMax) {
            toast(t("filter.too-many", { n: savedMax }), { kind: "bad" });
            return false;
          }
          keep("filters", JSON.stringify([...others, { name, filter: listing.filter }]));
          fillSaved();
          return true;
        },
      }],
    });
    field.select();
  }

  const save = h("button", { class: "btn ls-save", type: "button", text: t("filter.save"), on: { click: saveFilter } });
  container.append(h("div", { class: "ls-group" }, all.button),
    ...(/** @type {Group[]} */ (["status", "activity", "label", "tracker", "dir"])).flatMap(section),
    savedTitle, saved, save);
  fillSaved();
  addEventListener("storage", (event) => {
    if (event.key === "filters") fillSaved();
  });

  let filter = listing.filter;
  /** Shows what has changed. */
  const update = () => {
    if (!listing.counted && filter === listing.filter) return;
    listing.counted = false;
    filter = listing.filter;
    setText(all.count, number(listing.entries.size));
    setAttr(all.button, "aria-pressed", isAnything(filter));
    show(save, !isAnything(filter));
    for (const group of bodies.keys()) fill(group);
  };
  list.follow(update);
  update();
}
