import assert from "node:assert/strict";
import { test } from "node:test";
import { Selection } from "../../page/js/select.js";

/** @param {number[]} list */
function make(list) {
  const order = { list, count: () => order.list.length, idAt: (i) => order.list[i], indexOf: (id) => order.list.indexOf(id) };
  const selection = new Selection(order);
  const key = (name, shift = false, ctrl = false) => selection.key(name, { shift, ctrl }, 3);
  const click = (id, shift = false, ctrl = false) => selection.click(order.indexOf(id), { shift, ctrl });
  const is = (...want) => assert.deepEqual([...selection.ids].sort((a, b) => a - b), want);
  return { order, selection, key, click, is };
}

test("clicks select one, more, and ranges", () => {
  const { click, is } = make([10, 20, 30, 40, 50]);
  click(20);
  is(20);
  click(40, false, true);
  is(20, 40);
  click(50, true, true);
  is(20, 40, 50);
  click(30, true);
  is(30, 40);
  click(10);
  is(10);
});

test("keys move, extend and toggle", () => {
  const { key, is, selection } = make([10, 20, 30, 40, 50, 60]);
  key("ArrowDown");
  is(10);
  key("ArrowDown", true);
  key("ArrowDown", true);
  is(10, 20, 30);
  key("ArrowUp", true);
  is(10, 20);
  key("End");
  is(60);
  key("PageUp", true);
  is(30, 40, 50, 60);
  key("Home");
  is(10);
  key("ArrowDown", false, true);
  is(10);
  assert.equal(selection.cursor, 20);
  key(" ");
  is(10, 20);
  key(" ");
  is(10);
  key("a", false, true);
  is(10, 20, 30, 40, 50, 60);
  assert.equal(key("a"), false);
  assert.equal(key("x"), false);
});

test("a selection outlives another order", () => {
  const { order, key, click, is, selection } = make([1, 2, 3, 4]);
  click(2);
  order.list = [4, 3, 2, 1];
  is(2);
  assert.equal(selection.index(), 2);
  key("ArrowDown");
  is(1);
});

test("the cursor stays in place when its row goes", () => {
  const { order, key, click, is, selection } = make([1, 2, 3, 4]);
  click(3);
  order.list = [1, 2, 4];
  selection.remove([3]);
  is();
  assert.equal(selection.index(), 2);
  key("ArrowUp");
  is(2);
});

test("an empty list has no cursor and takes every key", () => {
  const { key, selection } = make([]);
  for (const name of ["ArrowDown", "ArrowUp", "Home", "End", "PageDown", "PageUp", " "]) {
    key(name);
    key(name, true);
  }
  selection.all();
  assert.equal(selection.index(), -1);
  assert.equal(selection.ids.size, 0);
});
