import assert from "node:assert/strict";
import { test } from "node:test";
import { ranges } from "../../page/js/add-files.js";
import { filterLines } from "../../page/js/log.js";

test("places of files are written as ranges", () => {
  for (const [places, want] of [[[], ""], [[0], "0"], [[0, 1, 2], "0-2"], [[0, 2, 3, 5], "0,2-3,5"],
    [[7, 8], "7-8"]]) assert.equal(ranges(places), want);
  const many = Array.from({ length: 40000 }, (_, i) => i);
  assert.equal(ranges(many), "0-39999");
  assert.equal(ranges(many.filter((i) => i % 2 === 0)).split(",").length, 20000);
});

test("lines of the log are found by level and words", () => {
  const lines = [
    { seq: 1, time: "", level: "debug", text: "sent", values: { peer: "192.0.2.1" } },
    { seq: 2, time: "", level: "info", text: "Limits", values: { down: "0" } },
    { seq: 3, time: "", level: "error", text: "disk full" },
  ];
  const found = (level, search) => filterLines(lines, level, search).map((line) => line.seq);
  assert.deepEqual(found("debug", ""), [1, 2, 3]);
  assert.deepEqual(found("info", " "), [2, 3]);
  assert.deepEqual(found("warn", ""), [3]);
  assert.deepEqual(found("debug", "down=0 LIM"), [2]);
  assert.deepEqual(found("debug", "peer disk"), []);
});
