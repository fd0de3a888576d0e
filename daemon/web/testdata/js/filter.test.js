import assert from "node:assert/strict";
import { test } from "node:test";
import { Listing, anything, compile, filterOf, fold, isAnything, isComplete } from "../../page/js/filter.js";
import { Row, apply } from "../../page/js/store.js";

/** @param {number} id @param {object} [fields] */
function row(id, fields = {}) {
  const made = new Row();
  apply(made, { id, name: "torrent " + id, status: "downloading", dir: "/d", ...fields });
  return made;
}

const byName = (r) => r.name;
const bySpeed = (r) => r["down-rate"];
const ids = (listing) => listing.view.map((entry) => entry.row.id);

/** A small generator, so that a failure can be played again. @param {number} seed */
function random(seed) {
  return (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * n);
  };
}

test("words of a search fit in any order, without case and accents", () => {
  const r = row(1, { name: "Die Verwandlung – Hörbuch", labels: ["Books"], tracker: "tracker.example" });
  for (const [text, want] of [["", true], ["hörbuch", true], ["HORBUCH die", true], ["books verw", true],
    ["tracker.ex", false], ["film", false], ["die film", false], ["  ", true]]) {
    assert.equal(compile({ ...anything(), text })(r), want, text);
  }
  assert.equal(fold("ÀÉ ÜX"), "ae ux");
});

test("groups of a filter are combined, values of one are alternatives", () => {
  const rows = [row(1, { labels: ["a"], tracker: "x" }), row(2, { labels: ["b"], tracker: "x", status: "seeding" }),
    row(3, { labels: ["a", "b"], tracker: "y", error: "oh" }), row(4, { status: "stopped", stuck: "nobody" })];
  const fit = (filter) => rows.filter(compile({ ...anything(), ...filter })).map((r) => r.id);
  assert.deepEqual(fit({ label: ["a", "b"] }), [1, 2, 3]);
  assert.deepEqual(fit({ label: ["a"], tracker: ["x"] }), [1]);
  assert.deepEqual(fit({ label: [""] }), [4]);
  assert.deepEqual(fit({ activity: ["error", "stuck"] }), [3, 4]);
  assert.deepEqual(fit({ activity: ["error"], status: ["seeding"] }), []);
  assert.deepEqual(fit({ status: ["seeding", "stopped"] }), [2, 4]);
});

test("a torrent is complete once all that is wanted is there", () => {
  assert.equal(isComplete(row(1, { "have-info": true, wanted: 5, left: 0 })), true);
  assert.equal(isComplete(row(1, { "have-info": true, wanted: 5, left: 1 })), false);
  assert.equal(isComplete(row(1, { left: 0 })), false);
});

test("what a browser has kept makes a filter, whatever it is", () => {
  for (const from of [null, 5, "x", [], { text: 5, status: "x", label: [1, null, "a"] }]) {
    assert.equal(typeof filterOf(from).text, "string");
  }
  assert.deepEqual(filterOf({ label: [1, null, "a"] }).label, ["a"]);
  assert.ok(isAnything(filterOf({})));
});

test("equal keys stay in the order of age", () => {
  const listing = new Listing(bySpeed);
  listing.update([row(3), row(1), row(2, { "down-rate": 9 })]);
  assert.deepEqual(ids(listing), [1, 3, 2]);
  listing.setSort(bySpeed, true);
  assert.deepEqual(ids(listing), [2, 3, 1]);
});

test("names sort as people do", () => {
  const listing = new Listing(byName);
  listing.update(["b10", "B2", "a", "ä"].map((name, i) => row(i + 1, { name })));
  assert.deepEqual(listing.view.map((entry) => entry.row.name), ["a", "ä", "B2", "b10"]);
});

test("changes keep the list as if it were sorted and filtered from scratch", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const next = random(seed);
    const rows = new Map();
    const listing = new Listing(bySpeed);
    const filter = { ...anything(), label: ["a"] };
    listing.setFilter(filter);
    for (let step = 0; step < 60; step++) {
      const changed = [];
      for (let i = next(8); i >= 0; i--) {
        const id = 1 + next(40);
        const r = rows.get(id) ?? row(id);
        rows.set(id, r);
        apply(r, { "down-rate": next(5), labels: [["a"], ["b"], []][next(3)], name: "n" + next(9) });
        changed.push(r);
      }
      listing.update(changed);
      if (next(4) === 0) {
        const gone = [1 + next(40), 1 + next(40)];
        listing.remove(gone);
        for (const id of gone) rows.delete(id);
      }
      if (next(6) === 0) listing.setSort(next(2) ? bySpeed : byName, next(2) === 1);
      const fresh = new Listing(listing.keyOf, listing.collator);
      fresh.down = listing.down;
      fresh.setFilter(filter);
      fresh.update(rows.values());
      assert.deepEqual(ids(listing), ids(fresh), `seed ${seed}, step ${step}`);
      assert.deepEqual([...listing.counts].sort(), [...fresh.counts].sort(), `seed ${seed}, step ${step}`);
    }
  }
});

test("10,000 torrents: a change of 500 and a search look at few", () => {
  let compared = 0;
  const listing = new Listing(bySpeed);
  const compare = listing.compare;
  listing.compare = (a, b) => (compared++, compare.call(listing, a, b));
  const rows = [];
  for (let i = 1; i <= 10_000; i++) rows.push(row(i, { "down-rate": i * 7919 % 10_007 }));
  listing.update(rows);
  compared = 0;
  for (let i = 0; i < 500; i++) apply(rows[i * 20], { "down-rate": i * 31 % 9973 });
  listing.update(rows.filter((_, i) => i % 20 === 0));
  // 500 among themselves, and each to its place by halves.
  assert.ok(compared < 500 * 24, "comparisons: " + compared);
  compared = 0;
  listing.setFilter({ ...anything(), text: "torrent 99" });
  assert.equal(compared, 0);
  assert.equal(listing.view.length, 280);
});

test("absent fields keep their values, null takes them away", () => {
  const r = row(1, { eta: 5, labels: ["a"], ratio: 2 });
  apply(r, { name: "new" });
  assert.deepEqual([r.eta, r.labels, r.name], [5, ["a"], "new"]);
  apply(r, { eta: null, ratio: null, labels: [], error: "", unknown: 1, find: "x" });
  assert.deepEqual([r.eta, r.ratio, r.labels], [-1, -1, []]);
  assert.equal(Object.hasOwn(r, "unknown"), false);
});
