// What pictures on a canvas have in common: sharp pixels, colours of the style sheet, and a
// cursor that the mouse and the arrow keys move, whose value is read out.

import { h, setText } from "./dom.js";

/** The next larger size of the form 1, 2, 5, 10, 20 ... 500 B, KiB and so on. @param {number} n */
export function nice(n) {
  let unit = 1;
  while (n > 500 * unit) unit *= 1024;
  for (let m = 1; ; m *= 10) for (const k of [1, 2, 5]) if (k * m * unit >= n) return k * m * unit;
}

/** A picture with a cursor over count places. */
export class Plot {
  count = 0;
  cursor = -1;

  /**
   * @param {{label: string, height: number, draw: (c: CanvasRenderingContext2D, width: number,
   *   height: number) => void, at: (x: number, y: number) => number,
   *   text: (i: number) => string, step?: () => number}} o at gives the place of a point, text
   *   what is read out there, and step how far the keys for up and down move
   */
  constructor(o) {
    this.o = o;
    this.height = o.height;
    this.width = 0;
    this.canvas = h("canvas", { class: "dt-canvas", tabIndex: 0, role: "slider",
      "aria-label": o.label, "aria-valuemin": 0, "aria-valuenow": 0, on: {
        pointermove: (/** @type {PointerEvent} */ e) => this.#move(o.at(e.offsetX, e.offsetY)),
        pointerdown: (/** @type {PointerEvent} */ e) => this.#move(o.at(e.offsetX, e.offsetY)),
        pointerleave: () => this.#move(-1), blur: () => this.#move(-1),
        keydown: (/** @type {KeyboardEvent} */ e) => this.#key(e) } });
    this.output = h("p", { class: "dt-read muted", "aria-hidden": "true" });
    this.element = h("div", { class: "dt-plot" }, this.canvas, this.output);
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.element);
  }

  /** @param {KeyboardEvent} e */
  #key(e) {
    const up = this.o.step?.() ?? 10, last = this.count - 1, at = Math.max(this.cursor, 0);
    const to = { ArrowLeft: at - 1, ArrowRight: this.cursor + 1, ArrowUp: at - up,
      ArrowDown: at + up, Home: 0, End: last, PageUp: at - 5 * up, PageDown: at + 5 * up }[e.key];
    if (to === undefined || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    e.stopPropagation();
    this.#move(Math.min(Math.max(to, 0), last));
  }

  /** @param {number} i */
  #move(i) {
    if (i >= this.count) i = -1;
    if (i === this.cursor) return;
    this.cursor = i;
    this.draw();
  }

  draw() {
    const width = this.width = this.element.clientWidth, height = this.height;
    if (!width) return;
    const scale = devicePixelRatio || 1, canvas = this.canvas;
    const pixels = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) {
      [canvas.width, canvas.height] = pixels;
      canvas.style.height = `${height}px`;
    }
    const c = canvas.getContext("2d");
    if (!c) return;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    this.o.draw(c, width, height);
    if (this.cursor >= this.count) this.cursor = -1;
    const text = this.cursor < 0 ? "" : this.o.text(this.cursor);
    setText(this.output, text || "\u00a0");
    canvas.setAttribute("aria-valuemax", String(Math.max(this.count - 1, 0)));
    canvas.setAttribute("aria-valuenow", String(Math.max(this.cursor, 0)));
    canvas.setAttribute("aria-valuetext", text || this.o.label);
  }

  /** The value of a colour of the style sheet, such as --accent. @param {string} name */
  color(name) {
    this.output.style.borderColor = `var(${name})`;
    const color = getComputedStyle(this.output).borderTopColor;
    this.output.style.borderColor = "";
    return color;
  }

  close() { this.watch.disconnect(); }
}
