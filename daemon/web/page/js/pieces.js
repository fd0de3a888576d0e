// The map of the pieces of a torrent.

/** @typedef {{pieces: number, "piece-length": number, cells: number, have: string,
 *   availability: string, "in-flight": number[]}} Pieces as the API describes them */

/** @param {string} base64 */
const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** The cells of a map. */
export class PieceMap {
  /** @param {Pieces} p */
  constructor(p) {
    this.pieces = p.pieces;
    this.cells = p.cells;
    this.have = bytes(p.have);
    this.availability = bytes(p.availability);
    this.flight = new Uint8Array(p.cells);
    for (const i of p["in-flight"]) this.flight[i] = 1;
  }

  /** The first and the last piece of a cell. @param {number} cell @returns {[number, number]} */
  range(cell) {
    const from = (/** @type {number} */ i) => Math.floor(i * this.pieces / this.cells);
    return [from(cell), from(cell + 1) - 1];
  }

  /** The map in as many columns as fit, each the sum of its cells. @param {number} width */
  columns(width) {
    const count = Math.min(width, this.cells), list = [];
    for (let i = 0; i < count; i++) {
      const first = Math.floor(i * this.cells / count), end = Math.floor((i + 1) * this.cells / count);
      let have = 0, fewest = 255, flight = false;
      for (let cell = first; cell < end; cell++) {
        have += this.have[cell];
        fewest = Math.min(fewest, this.availability[cell]);
        flight ||= this.flight[cell] > 0;
      }
      list.push({ have: have / (end - first) / 255, fewest, flight });
    }
    return list;
  }

  /** Counts the cells that are not complete. */
  missing() {
    let cells = 0, fewest = 255, most = 0, nobody = 0;
    for (let i = 0; i < this.cells; i++) {
      if (this.have[i] === 255) continue;
      cells++;
      fewest = Math.min(fewest, this.availability[i]);
      most = Math.max(most, this.availability[i]);
      if (!this.availability[i]) nobody++;
    }
    return { cells, fewest: cells ? fewest : 0, most, nobody };
  }
}

/** How strong the shade of so many peers is, from 0 to 1. @param {number} peers */
export const shade = (peers) => Math.min(Math.log2(1 + peers) / 6, 1);

/**
 * The side of the squares, and how many there are in a line, so that all fit into lines of a
 * width. @param {number} count @param {number} width @param {number} lines
 */
export function grid(count, width, lines) {
  const side = Math.max(6, Math.min(18, Math.floor(Math.sqrt(width * lines * 8 / Math.max(count, 1)))));
  return { side, line: Math.max(1, Math.floor(width / side)) };
}
