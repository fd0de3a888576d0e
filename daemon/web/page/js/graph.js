// The graph of the speeds of the last hour or minute.

import { date, duration, rate } from "./format.js";
import { clear, h } from "./dom.js";
import { t } from "./i18n.js";
import { nice, Plot } from "./plot.js";

/** @typedef {{time: string, down: number, up: number}} Rates */
/** @typedef {{seconds: Rates[], minutes: Rates[]}} Speed the speeds as the API returns them */

/** The means of groups of n rates, the last group at the end. @param {Rates[]} list
 * @param {number} n */
export function means(list, n) {
  const groups = [];
  for (let end = list.length; end > 0; end -= n) {
    const group = list.slice(Math.max(end - n, 0), end);
    const mean = (/** @type {"down" | "up"} */ k) =>
      Math.round(group.reduce((sum, r) => sum + r[k], 0) / group.length);
    groups.unshift({ time: group[0].time, down: mean("down"), up: mean("up") });
  }
  return groups;
}

/** The lines of a scale: at most 5, at round numbers. @param {number} max */
export function ticks(max) {
  const step = nice(Math.max(max, 1024) / 4);
  return Array.from({ length: Math.ceil(Math.max(max, 1) / step) + 1 }, (_, i) => i * step);
}

const left = 76, bottom = 18, top = 8; // pixels around the lines

/** A graph of speeds, with a table as its alternative. */
export class Graph {
  /** @type {Speed} */
  speed = { seconds: [], minutes: [] };
  hour = true;
  /** @type {Rates[]} */
  list = [];

  /** @param {{label: string, height?: number}} o */
  constructor(o) {
    /** @type {Plot} */
    this.plot = new Plot({ label: o.label, height: o.height ?? 160,
      draw: (c, w, height) => this.#draw(c, w, height),
      at: (x) => Math.round((x - left) / ((this.plot.width - left) / (this.plot.count - 1))),
      text: (i) => this.#text(i) });
    this.span = h("select", { class: "dt-select", "aria-label": t("details.span"),
      on: { change: () => { this.hour = this.span.value === "hour"; this.set(this.speed); } } },
    ["hour", "minute"].map((k) => h("option", { value: k, text: t(`details.last.${k}`) })));
    this.table = h("tbody");
    this.element = h("figure", { class: "dt-graph" },
      h("figcaption", { class: "dt-line" }, h("span", { class: "dt-key dt-down" }, t("details.downRate")),
        h("span", { class: "dt-key dt-up" }, t("details.upRate")), this.span),
      this.plot.element,
      h("details", { on: { toggle: () => this.#fill() } },
        h("summary", null, t("details.table")),
        h("table", { class: "table" }, h("thead", null, h("tr", null,
          ...["time", "downRate", "upRate"].map((k) => h("th", { scope: "col" }, t(`details.${k}`))))),
          this.table)));
    this.set(this.speed);
  }

  /** Shows other speeds. @param {Speed} speed */
  set(speed) {
    this.speed = speed;
    this.list = this.hour ? speed.minutes : speed.seconds;
    this.plot.count = this.list.length;
    this.plot.draw();
    this.#fill();
  }

  #fill() {
    if (!this.table.closest("details")?.open) return;
    clear(this.table);
    for (const r of means(this.list, this.hour ? 30 : 5).reverse()) {
      this.table.append(h("tr", null, h("th", { scope: "row" }, date(r.time)),
        h("td", null, rate(r.down)), h("td", null, rate(r.up))));
    }
  }

  /** The text of a time before the last value. @param {number} i */
  #ago(i) {
    const at = (/** @type {number} */ k) => Date.parse(this.list[k].time);
    const s = (at(this.list.length - 1) - at(i)) / 1000;
    return t("details.ago", { time: duration(s < 90 ? s : Math.round(s / 60) * 60) });
  }

  /** @param {number} i */
  #text(i) {
    const r = this.list[i];
    return t("details.speedAt", { time: this.#ago(i), down: rate(r.down), up: rate(r.up) });
  }

  /** @param {CanvasRenderingContext2D} c @param {number} width @param {number} height */
  #draw(c, width, height) {
    const list = this.list, plot = this.plot, n = list.length;
    const max = list.reduce((m, r) => Math.max(m, r.down, r.up), 0);
    const lines = ticks(max), high = lines[lines.length - 1];
    const x = (/** @type {number} */ i) => left + i * (width - left - 1) / Math.max(n - 1, 1);
    const y = (/** @type {number} */ v) => height - bottom - v / high * (height - bottom - top);
    const muted = plot.color("--muted"), line = plot.color("--line");
    c.font = `11px ${getComputedStyle(plot.element).fontFamily}`;
    c.fillStyle = muted;
    c.strokeStyle = line;
    c.lineWidth = 1;
    c.textBaseline = "middle";
    c.textAlign = "right";
    for (const v of lines) {
      const at = Math.round(y(v)) + 0.5;
      c.beginPath();
      c.moveTo(left, at);
      c.lineTo(width, at);
      c.stroke();
      c.fillText(rate(v), left - 8, at);
    }
    if (n < 2) return;
    c.textBaseline = "alphabetic";
    for (const part of width < 420 ? [0, 1] : [0, 1 / 3, 2 / 3, 1]) {
      const i = Math.round(part * (n - 1));
      c.textAlign = part === 0 ? "left" : part === 1 ? "right" : "center";
      c.fillText(part === 1 ? t("details.now") : this.#ago(i), x(i), height - 3);
    }
    this.#line(c, x, (r) => y(r.up), plot.color("--good"), height);
    this.#line(c, x, (r) => y(r.down), plot.color("--accent"), height);
    if (plot.cursor < 0) return;
    c.fillStyle = muted;
    c.fillRect(Math.round(x(plot.cursor)), top, 1, height - bottom - top);
  }

  /**
   * @param {CanvasRenderingContext2D} c @param {(i: number) => number} x
   * @param {(r: Rates) => number} y @param {string} color @param {number} height
   */
  #line(c, x, y, color, height) {
    c.beginPath();
    this.list.forEach((r, i) => c.lineTo(x(i), y(r)));
    c.strokeStyle = c.fillStyle = color;
    c.lineWidth = 1.5;
    c.lineJoin = "round";
    c.stroke();
    c.lineTo(x(this.list.length - 1), height - bottom);
    c.lineTo(x(0), height - bottom);
    c.globalAlpha = 0.12;
    c.fill();
    c.globalAlpha = 1;
  }

  close() { this.plot.close(); }
}
