// The tab of pieces: a map, what its colours mean, and the same in words.
import { api } from "./api.js";
import { h, setText } from "./dom.js";
import { bytes, number, percent } from "./format.js";
import { t } from "./i18n.js";
import { poll } from "./details-parts.js";
import { grid, PieceMap, shade } from "./pieces.js";
import { Plot } from "./plot.js";
import { store } from "./store.js";

const linesMax = 24;

/** @param {import("./details-parts.js").Open} open @returns {import("./details-parts.js").Tab} */
export function pieces(open) {
  /** @type {PieceMap | null} */
  let map = null;
  let size = { side: 6, line: 1 };
  const row = () => /** @type {any} */ (store.torrents.get(open.id) ?? open.details?.torrent ?? {});
  const plot = new Plot({ label: t("details.map"), height: 120, step: () => size.line,
    draw: (c, width) => {
      if (!map) return;
      size = grid(map.cells, width, linesMax);
      const height = Math.ceil(map.cells / size.line) * size.side + 1;
      if (height !== plot.height) { // the picture fits its cells
        plot.height = height;
        return plot.draw();
      }
      paint(c, plot, map, size, (row().peers ?? 0) > 0);
    },
    at: (x, y) => {
      const column = Math.floor(x / size.side);
      return column < size.line ? Math.floor(y / size.side) * size.line + column : -1;
    },
    text: (i) => (map ? cellText(map, i) : "") });
  const words = h("p"), detail = h("p", { class: "muted" });
  const key = (/** @type {string} */ k) => h("span", { class: `dt-key dt-${k}` }, t(`details.piece.${k}`));
  const element = h("div", { class: "dt-body" }, words, detail, plot.element,
    h("p", { class: "dt-line dt-legend", "aria-hidden": "true" },
      ["have", "flight", "some", "many", "none"].map(key)));
  const poller = poll(async (signal) => {
    const width = plot.element.clientWidth || 600;
    const cells = Math.min(Math.floor(width / 6) * linesMax, 20_000);
    map = new PieceMap(await api.get(`${open.path}/pieces`, { cells }, { signal }));
    if (!open.details) await open.load();
    plot.count = map.cells;
    plot.draw();
    const r = row(), m = map.missing(), have = r["pieces-have"] ?? open.details.torrent["pieces-have"];
    setText(words, map.cells === 0 ? t("details.noPieces") : t("details.piecesText", {
      n: map.pieces, have: number(have), share: percent(have, map.pieces),
      length: bytes(open.details.torrent["piece-length"]) }));
    setText(detail, !m.cells ? "" : !r.peers ? t("details.noPeers") :
      t(m.nobody ? "details.piecesNobody" : "details.piecesRare", {
        n: m.nobody ? percent(m.nobody, map.cells) : m.fewest, flight: map.flight.filter(Boolean).length }));
  }, 2000, open.failed);
  const refresh = setInterval(() => { if (!document.hidden) open.load().catch(() => {}); }, 5000);
  return { element, close: () => { poller.close(); plot.close(); clearInterval(refresh); } };
}

/** Describes a cell in words. @param {PieceMap} map @param {number} i */
function cellText(map, i) {
  const [first, last] = map.range(i), have = map.have[i];
  const state = have === 255 ? t("details.piece.have") : [have ? percent(have, 255) : "",
    map.flight[i] ? t("details.piece.flight") : "",
    t("details.piecePeers", { n: map.availability[i] })].filter(Boolean).join(", ");
  return t(first === last ? "details.pieceOne" : "details.pieceRange", {
    first: number(first), last: number(last), state });
}

/**
 * @param {CanvasRenderingContext2D} c @param {Plot} plot @param {PieceMap} map
 * @param {{side: number, line: number}} size @param {boolean} peers whether there are any
 */
function paint(c, plot, map, { side, line }, peers) {
  const [have, flight, none, some] = ["--bar-good", "--bar", "--bad", "--fg"].map((k) => plot.color(k));
  const inner = side - (side > 7 ? 2 : 1);
  const square = (/** @type {number} */ i, /** @type {string} */ color, /** @type {number} */ alpha,
    /** @type {number} */ part = 1) => {
    c.globalAlpha = alpha;
    c.fillStyle = color;
    const x = (i % line) * side, y = Math.floor(i / line) * side, height = Math.ceil(inner * part);
    c.fillRect(x, y + inner - height, inner, height);
  };
  for (let i = 0; i < map.cells; i++) {
    const got = map.have[i], of = map.availability[i];
    if (got < 255) {
      if (map.flight[i]) square(i, flight, 1);
      else if (peers && !of) square(i, none, 0.55);
      else square(i, some, 0.1 + 0.35 * shade(of));
    }
    if (got) square(i, have, 1, got / 255);
  }
  c.globalAlpha = 1;
  if (plot.cursor < 0) return;
  c.strokeStyle = plot.color("--fg");
  c.lineWidth = 2;
  c.strokeRect((plot.cursor % line) * side, Math.floor(plot.cursor / line) * side, inner, inner);
}
