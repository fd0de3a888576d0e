import assert from "node:assert/strict";
import { test } from "node:test";

import { grid, PieceMap, shade } from "../../page/js/pieces.js";

const base64 = (...bytes) => Buffer.from(bytes).toString("base64");

test("reads the cells of the interface", () => {
  const map = new PieceMap({ pieces: 10, "piece-length": 1, cells: 4,
    have: base64(255, 127, 0, 0), availability: base64(3, 2, 0, 1), "in-flight": [3] });
  assert.deepEqual([0, 1, 2, 3].map((i) => map.range(i)), [[0, 1], [2, 4], [5, 6], [7, 9]]);
  assert.deepEqual([...map.flight], [0, 0, 0, 1]);
  assert.deepEqual(map.missing(), { cells: 3, fewest: 0, most: 2, nobody: 1 });
  assert.deepEqual(map.columns(2), [
    { have: (255 + 127) / 510, fewest: 2, flight: false },
    { have: 0, fewest: 0, flight: true },
  ]);
  assert.equal(map.columns(100).length, 4);
});

test("a map without cells, and one of a whole torrent", () => {
  const none = new PieceMap({ pieces: 0, "piece-length": 0, cells: 0, have: "",
    availability: "", "in-flight": [] });
  assert.deepEqual(none.columns(100), []);
  assert.deepEqual(none.missing(), { cells: 0, fewest: 0, most: 0, nobody: 0 });
  const whole = new PieceMap({ pieces: 2, "piece-length": 1, cells: 2, have: base64(255, 255),
    availability: base64(0, 0), "in-flight": [] });
  assert.equal(whole.missing().cells, 0);
});

test("every torrent fits into the width", () => {
  for (const count of [1, 7, 100, 2000, 100_000]) {
    for (const width of [240, 320, 1200, 3800]) {
      const { side, line } = grid(count, width, 20);
      assert.ok(side >= 6 && side <= 18, `${count} in ${width}: side ${side}`);
      assert.ok(line * side <= width, `${count} in ${width}: ${line} of ${side}`);
    }
  }
});

test("more peers are a stronger shade", () => {
  assert.equal(shade(0), 0);
  assert.ok(shade(1) > 0 && shade(1) < shade(2) && shade(30) < shade(60));
  assert.equal(shade(255), 1);
});
