// @ts-check
// The limits of the node: rates, the alternative ones with their week, and groups of torrents.
import { api } from "./api.js";
import { confirm, dialog, toast } from "./dialog.js";
import { clear, h, name } from "./dom.js";
import { attempt, button, card, check, field, input, sentence } from "./forms.js";
import { rate } from "./format.js";
import { lang, t } from "./i18n.js";
import { DAYS, hourOf, parseWeek, setHours, showWeek } from "./schedule.js";
import { SettingsForm } from "./settings.js";
import { store } from "./store.js";
import { parseSize, showSize } from "./units.js";

/** @typedef {{name: string, down?: number, up?: number, alone?: boolean}} Group */

/** @param {HTMLElement} panel @returns {() => void} */
export function mount(panel) {
  const form = new SettingsForm();
  const grid = new WeekGrid(form.control("alt-schedule"), () => form.changed());
  form.onFill = () => grid.read();
  const groups = card(t("node.groups"));
  panel.append(form.notice, h("div", { class: "fm-cards" },
    card(t("node.always"), form.row("down"), form.row("up"),
      h("p", { class: "fm-help", text: t("add.rateHelp") })),
    card(t("node.alternative"), form.row("alt"), form.row("alt-down"), form.row("alt-up"))),
  card(t("node.week"), h("p", { class: "fm-help", text: t("node.weekHelp") }), grid.element,
    form.row("alt-schedule")), form.bar, groups);
  const showGroups = () => attempt(() => fillGroups(groups));
  const off = store.on("settings", showGroups);
  showGroups();
  form.load();
  return () => {
    off();
    form.close();
  };
}

/** The week as a grid, beside its text. */
class WeekGrid {
  /**
   * @param {import("./forms.js").Control} text
   * @param {() => void} changed
   */
  constructor(text, changed) {
    this.text = text;
    this.changed = changed;
    this.week = parseWeek("") ?? new Uint8Array(0);
    this.at = { day: 0, hour: 8 };
    this.from = this.at;
    /** The state that is being painted, and the week before that. @type {boolean | undefined} */
    this.paint = undefined;
    this.before = this.week;
    this.touched = false;
    const dayName = new Intl.DateTimeFormat(lang(), { weekday: "long", timeZone: "UTC" });
    const shortName = new Intl.DateTimeFormat(lang(), { weekday: "short", timeZone: "UTC" });
    const monday = Date.UTC(2024, 0, 1);
    /** @type {HTMLElement[][]} */
    this.cells = [];
    this.element = h("div", { class: "fm-week", role: "grid", "aria-label": t("node.week"),
      "aria-multiselectable": true, on: {
        keydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
        pointerdown: (/** @type {PointerEvent} */ event) => this.down(event),
        pointermove: (/** @type {PointerEvent} */ event) => this.move(event),
        pointerup: () => this.tap(), pointercancel: () => this.cancel(),
      } },
    h("div", { role: "row", class: "fm-week-row" }, h("span", { role: "columnheader" },
      h("span", { class: "visually-hidden", text: t("node.day") })),
    Array.from({ length: 24 }, (_, hour) => h("span", { role: "columnheader" },
      h("span", hour % 3 ? { class: "visually-hidden", text: `${hour}:00` } : { text: hour })))));
    DAYS.forEach((_, day) => {
      const long = dayName.format(monday + day * 86400e3);
      const cells = Array.from({ length: 24 }, (_, hour) => h("span", { role: "gridcell",
        tabIndex: -1, class: "fm-hour", "aria-label": `${long} ${hour}:00`, "data-day": day,
        "data-hour": hour }));
      this.cells.push(cells);
      this.element.append(h("div", { role: "row", class: "fm-week-row" }, h("span", {
        role: "rowheader", "aria-label": long, text: shortName.format(monday + day * 86400e3) }), cells));
    });
    text.addEventListener("input", () => this.read());
    this.focusable();
  }

  /** Shows the week of the text, if that is right. */
  read() {
    this.week = parseWeek(this.text.value) ?? this.week;
    this.show();
  }

  show() {
    this.cells.forEach((cells, day) => cells.forEach((cell, hour) => {
      const part = hourOf(this.week, day, hour);
      cell.setAttribute("aria-selected", String(part === 1));
      cell.classList.toggle("on", part === 1);
      cell.classList.toggle("part", part > 0 && part < 1);
    }));
  }

  focusable() {
    for (const cell of this.cells.flat()) cell.tabIndex = -1;
    this.cells[this.at.day][this.at.hour].tabIndex = 0;
  }

  /**
   * Paints from where it began to a cell.
   * @param {{day: number, hour: number}} to
   * @param {boolean} on
   */
  fill(to, on) {
    const week = this.before.slice();
    setHours(week, this.from, to, on);
    this.write(week);
  }

  /** @param {import("./schedule.js").Week} week */
  write(week) {
    this.week = week;
    this.text.value = showWeek(week);
    this.show();
    this.changed();
  }

  /** Takes back what was painted: the touch scrolls. */
  cancel() {
    if (this.paint !== undefined) this.write(this.before);
    this.paint = undefined;
  }

  /** @param {EventTarget | null} target */
  cellOf(target) {
    const { day, hour } = (target instanceof HTMLElement && !this.text.disabled && target.dataset) || {};
    return hour === undefined ? undefined : { day: Number(day), hour: Number(hour) };
  }

  /** @param {PointerEvent} event */
  down(event) {
    const at = this.cellOf(event.target);
    if (!at || event.button !== 0) return;
    this.begin(at);
    this.paint = hourOf(this.week, at.day, at.hour) < 1;
    this.touched = event.pointerType === "touch"; // it may become scrolling
    if (!this.touched) this.fill(at, this.paint);
    this.focusable();
    if (event.target instanceof Element) event.target.releasePointerCapture(event.pointerId);
  }

  tap() {
    if (this.touched && this.paint !== undefined) this.fill(this.at, this.paint);
    this.paint = undefined;
  }

  /** @param {{day: number, hour: number}} at */
  begin(at) {
    this.at = this.from = at;
    this.before = this.week;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const at = this.cellOf(document.elementFromPoint(event.clientX, event.clientY));
    if (!at || this.paint === undefined) return;
    if (at.day === this.at.day && at.hour === this.at.hour && this.touched) return;
    this.touched = false;
    this.fill(at, this.paint);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // Narrow pages show the days side by side.
    const sideways = this.cells[0][0].offsetLeft === this.cells[0][1].offsetLeft;
    const steps = /** @type {Record<string, [number, number]>} */ ({ ArrowUp: [-1, 0],
      ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -24], End: [0, 24] });
    const step = steps[event.key];
    if (event.key === " " || event.key === "Enter") {
      if (this.text.disabled) return;
      this.begin(this.at);
      this.fill(this.at, hourOf(this.week, this.at.day, this.at.hour) < 1);
    } else if (step) {
      const [days, hours] = sideways && Math.abs(step[1]) < 24 ? [step[1], step[0]] : step;
      const within = (/** @type {number} */ n, /** @type {number} */ max) => Math.max(0, Math.min(max, n));
      if (!event.shiftKey) this.from = this.at;
      const on = hourOf(this.week, this.at.day, this.at.hour) === 1;
      if (event.shiftKey && this.from === this.at) this.before = this.week;
      this.at = { day: within(this.at.day + days, 6), hour: within(this.at.hour + hours, 23) };
      if (event.shiftKey && !this.text.disabled) this.fill(this.at, on);
      else this.from = this.at;
    } else return;
    event.preventDefault();
    this.focusable();
    this.cells[this.at.day][this.at.hour].focus();
  }
}

/** @param {HTMLElement} place */
async function fillGroups(place) {
  /** @type {{groups: Group[]}} */
  const { groups } = await api.get("/groups");
  const admin = store.may("admin");
  const edit = (/** @type {Group | undefined} */ group) => openGroup(group, () => fillGroups(place));
  const add = button(t("node.addGroup"), () => edit(undefined));
  add.disabled = !admin;
  const heading = place.firstElementChild;
  clear(place);
  if (heading) place.append(heading);
  place.append(h("p", { class: "fm-help", text: t("node.groupsHelp") }));
  if (groups.length) {
    const unlimited = (/** @type {number | undefined} */ n) => (n ? rate(n) : "∞");
    place.append(h("div", { class: "fm-scroll" }, h("table", { class: "table" }, h("thead", null, h("tr", null,
      [t("node.group"), t("add.down"), t("add.up"), t("node.alone"), ""].map((text) =>
        (text ? h("th", { scope: "col", text }) : h("td"))))),
    h("tbody", null, groups.map((group) => h("tr", null, h("th", { scope: "row" }, name(group.name)),
      h("td", { text: unlimited(group.down) }), h("td", { text: unlimited(group.up) }),
      h("td", { text: group.alone ? "✓" : "–" }), h("td", null, admin && h("div", { class: "fm-row" },
        button(t("node.edit"), () => edit(group), "btn-small"), button(t("add.remove"), async () => {
          if (!await confirm({ title: t("node.removeGroup"), text: name(group.name),
            ok: t("add.remove"), danger: true })) return;
          await api.del(`/groups/${encodeURIComponent(group.name)}`);
          await fillGroups(place);
        }, "btn-small")))))))));
  }
  place.append(h("div", { class: "fm-row" }, add));
}

/**
 * @param {Group | undefined} group
 * @param {() => Promise<void>} done
 */
function openGroup(group, done) {
  const size = (/** @type {number | undefined} */ n) => input(showSize(n ?? 0, lang()), { placeholder: "∞" });
  const title = field(t("node.group"), input(group?.name, { readOnly: !!group }));
  const down = field(t("add.down"), size(group?.down));
  const up = field(t("add.up"), size(group?.up), { help: t("add.rateHelp") });
  const alone = check(t("node.alone"), group?.alone ?? false, t("node.aloneHelp"));
  dialog({ title: t(group ? "node.edit" : "node.addGroup"), class: "dialog-small",
    body: h("div", { class: "fm-stack" }, title.element, down.element, up.element, alone.element),
    actions: [{ label: t("dialog.cancel") }, { label: t("node.save"), kind: "primary", submit: true,
      run: async () => {
        const rates = [down, up].map((f) => {
          const n = parseSize(f.control.value, lang());
          f.fail(Number.isNaN(n) ? t("node.wrong.rate") : "");
          return n;
        });
        const key = title.control.value.trim();
        title.fail(key ? "" : t("node.noName"));
        if (!key || rates.some(Number.isNaN)) return false;
        try {
          await api.put(`/groups/${encodeURIComponent(key)}`, { down: rates[0], up: rates[1],
            alone: alone.control.checked });
        } catch (err) {
          title.fail(sentence(err));
          return false;
        }
        await done();
        toast(t("node.saved"), { kind: "good" });
        return true;
      } }] });
}
