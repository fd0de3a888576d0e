import assert from "node:assert/strict";
import { test } from "node:test";

import { HIGH, NORMAL, SKIP, sums, Tree } from "../../page/js/tree.js";

/** A tree as a picture: one row a line, with a mark for what is wanted. */
function picture(tree) {
  const marks = { true: "x", false: " ", mixed: "-" };
  return tree.rows().map((n) => "  ".repeat(n.depth) + `[${marks[n.checked]}] ${n.name}`);
}

const files = [
  { index: 0, path: "show/season 10/e1.mkv", size: 30, have: 30 },
  { index: 1, path: "show/season 2/e10.mkv", size: 10 },
  { index: 2, path: "show/season 2/e9.mkv", size: 20, have: 10 },
  { index: 4, path: "show/readme.txt", size: 1 },
];

test("opens folders, in the natural order", () => {
  const tree = Tree.of(files);
  assert.deepEqual(picture(tree), ["[x] show"]);
  tree.toggle(tree.rows()[0], true);
  assert.deepEqual(picture(tree),
    ["[x] show", "  [x] season 2", "  [x] season 10", "  [x] readme.txt"]);
  tree.toggle(tree.rows()[1], true);
  assert.deepEqual(picture(tree), ["[x] show", "  [x] season 2", "    [x] e9.mkv",
    "    [x] e10.mkv", "  [x] season 10", "  [x] readme.txt"]);
  tree.toggle(tree.rows()[0], false);
  assert.deepEqual(picture(tree), ["[x] show"]);
});

test("a priority reaches down, and shows further up", () => {
  const tree = Tree.of(files);
  for (const at of [0, 1]) tree.toggle(tree.rows()[at], true);
  const [show, season2, e9] = tree.rows();
  tree.setPriority([e9], SKIP);
  assert.deepEqual(picture(tree), ["[-] show", "  [-] season 2", "    [ ] e9.mkv",
    "    [x] e10.mkv", "  [x] season 10", "  [x] readme.txt"]);
  assert.deepEqual(tree.wantedFiles(), [0, 1, 4]);
  assert.deepEqual(sums([show]), { files: 4, size: 61, have: 40, wanted: 41 });
  tree.setPriority([season2], HIGH);
  assert.equal(show.checked, "true");
  assert.equal(show.priority, null, "several priorities");
  tree.setPriority([show], SKIP);
  assert.equal(show.checked, "false");
  assert.deepEqual(tree.wantedFiles(), []);
  tree.setPriority([show], NORMAL);
  assert.deepEqual(tree.wantedFiles(), [0, 1, 2, 4]);
});

test("empty files can be wanted and skipped", () => {
  const tree = Tree.of([{ index: 0, path: "a/x", size: 0 }, { index: 1, path: "a/y", size: 0 }]);
  const [a] = tree.rows();
  assert.equal(a.checked, "true");
  tree.setPriority([a.children[0]], SKIP);
  assert.equal(a.checked, "mixed");
  tree.setPriority([a.children[1]], SKIP);
  assert.equal(a.checked, "false");
});

test("sorts by size and progress, folders first", () => {
  const tree = Tree.of(files);
  tree.toggle(tree.rows()[0], true);
  tree.sort("size", true);
  const names = () => tree.rows().slice(1).map((n) => n.name);
  assert.deepEqual(names(), ["season 2", "season 10", "readme.txt"]);
  tree.sort("progress", true);
  assert.deepEqual(names(), ["season 10", "season 2", "readme.txt"]);
  tree.sort("name", true);
  assert.deepEqual(names(), ["season 10", "season 2", "readme.txt"]);
});

test("a search opens what it finds, and leaves what was open", () => {
  const tree = Tree.of(files);
  tree.search("E9 season");
  assert.deepEqual(picture(tree), ["[x] show", "  [x] season 2", "    [x] e9.mkv"]);
  tree.search("nothing");
  assert.deepEqual(picture(tree), []);
  tree.search(" ");
  assert.deepEqual(picture(tree), ["[x] show"]);
});

test("selects one, several and ranges, and counts a file once", () => {
  const tree = Tree.of(files);
  tree.toggle(tree.rows()[0], true);
  const [show, season2, season10, readme] = tree.rows();
  tree.pick(season2);
  tree.pick(readme, { range: true });
  assert.deepEqual([...tree.selected], [season2, season10, readme]);
  tree.pick(season10, { toggle: true });
  assert.deepEqual([...tree.selected], [season2, readme]);
  tree.pick(show, { keep: true });
  assert.equal(tree.selected.size, 2);
  assert.equal(tree.focus, show);
  tree.pickAll();
  assert.deepEqual(tree.picked(), [show]);
  assert.equal(sums(tree.picked()).files, 4);
});

test("a folder comes when it is opened, and again without losing anything", () => {
  const tree = new Tree();
  const entry = { name: "a", path: "a", files: 2, size: 5, have: 1, wanted: 5, priority: 4 };
  tree.load(tree.root, [entry]);
  const [a] = tree.rows();
  assert.equal(a.children, null);
  const file = (name, index, have) =>
    ({ name, path: "a/" + name, index, size: 2, have, wanted: 2, priority: 4 });
  tree.load(a, [file("y", 1, 0), file("x", 0, 0)]);
  tree.toggle(a, true);
  const [, x, y] = tree.rows();
  tree.pick(x);
  tree.pick(y, { toggle: true });
  assert.equal(tree.refresh(a, [file("x", 0, 2)]), true);
  assert.equal(x.have, 2);
  assert.equal(tree.refresh(a, [file("new", 0, 2)]), false, "it was renamed");
  tree.load(a, [file("y", 1, 0), file("new", 0, 2)]);
  assert.deepEqual(tree.rows().map((n) => n.name), ["a", "new", "y"]);
  assert.deepEqual([...tree.selected], [y], "what is gone is not selected");
  tree.load(tree.root, [entry]);
  assert.equal(tree.rows().length, 3, "the folder stays open");
});

test("names are no patterns and no properties", () => {
  const tree = Tree.of(["__proto__", "constructor", "toString", "<b>", "\u202Eexe.txt"].map(
    (name, index) => ({ index, path: `__proto__/${name}`, size: 1 })));
  tree.toggle(tree.rows()[0], true);
  assert.equal(tree.rows().length, 6);
  tree.search("__proto__/constr");
  assert.deepEqual(tree.rows().map((n) => n.name), ["__proto__", "constructor"]);
});

test("40,000 files", () => {
  const many = Array.from({ length: 40_000 }, (_, i) => ({
    index: i, path: `all/folder ${i % 400}/file ${i}.bin`, size: i,
  }));
  const start = performance.now();
  const tree = Tree.of(many);
  tree.toggle(tree.rows()[0], true);
  for (const f of [...tree.rows()].slice(1)) tree.toggle(f, true);
  assert.equal(tree.rows().length, 40_401);
  tree.search("39999");
  assert.equal(tree.rows().length, 3);
  console.log(`# 40,000 files: ${Math.round(performance.now() - start)} ms`);
});
