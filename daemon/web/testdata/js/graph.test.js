import assert from "node:assert/strict";
import { test } from "node:test";

import { means, ticks } from "../../page/js/graph.js";
import { nice } from "../../page/js/plot.js";

test("round numbers in the units that are shown", () => {
  assert.deepEqual([0, 1, 3, 7, 501, 1025, 3000, 600_000, 512_001].map(nice),
    [1, 1, 5, 10, 1024, 2048, 5120, 1024 ** 2, 1024 ** 2]);
});

test("a scale ends above the largest value, with few lines", () => {
  for (const max of [0, 1, 1000, 1024, 5000, 123_456, 9e6, 2.5e9, 1e15]) {
    const list = ticks(max), last = list[list.length - 1];
    assert.equal(list[0], 0);
    assert.ok(last >= max && list.length >= 2 && list.length <= 6, `${max}: ${list}`);
  }
});

test("the table has means, the last group whole", () => {
  const rates = [1, 2, 3, 4, 5].map((n) => ({ time: `t${n}`, down: n * 10, up: n }));
  assert.deepEqual(means(rates, 2), [
    { time: "t1", down: 10, up: 1 },
    { time: "t2", down: 25, up: 3 },
    { time: "t4", down: 45, up: 5 },
  ]);
  assert.deepEqual(means([], 30), []);
});
