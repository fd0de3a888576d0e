import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, date, duration, number, percent, rate, ratio, visible, when } from "../../page/js/format.js";
import { has, t } from "../../page/js/i18n.js";
import { parse } from "../../page/js/router.js";
import { fitting, columns, usual } from "../../page/js/columns.js";

const plain = (text) => text.replaceAll("\u00a0", " ");

test("sizes keep three digits at least, whatever they are", () => {
  for (const [n, want] of [[0, "0 B"], [999, "999 B"], [1000, "1.0 KiB"], [1024, "1.0 KiB"], [1536, "1.5 KiB"],
    [1048576, "1.0 MiB"], [123456789, "118 MiB"], [2 ** 62, "4.0 EiB"], [-5, "0 B"], [NaN, "–"], [Infinity, "–"]]) {
    assert.equal(plain(bytes(n)), want, String(n));
  }
  assert.equal(plain(rate(2048)), "2.0 KiB/s");
});

test("a share is 100 % only if it is the whole", () => {
  for (const [part, whole, want] of [[0, 0, "0%"], [0, 5, "0%"], [9999, 10000, "99.9%"], [5, 5, "100%"], [7, 5, "100%"],
    [-1, 5, "0%"], [1, 3, "33.3%"]]) {
    assert.equal(plain(percent(part, whole)), want);
  }
});

test("times are never nonsense, wherever the clock stands", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  for (const [iso, want] of [["2026-01-01T11:58:00Z", "2 minutes ago"], ["2026-01-01T12:00:30Z", "now"],
    ["2026-01-01T13:00:00Z", "in 1 hour"], ["2025-12-31T12:00:00Z", "yesterday"], ["", "–"], ["rubbish", "–"],
    [null, "–"], ["0001-01-01T00:00:00Z", "–"]]) {
    assert.equal(when(iso, now), want, String(iso));
  }
  for (const [s, want] of [[0, "0 s"], [59, "59 s"], [61, "1 min 1 s"], [3600, "1 h"], [90061, "1 d 1 h"], [-5, "0 s"],
    [Infinity, "∞"], [NaN, "∞"]]) {
    assert.equal(plain(duration(s)), want, String(s));
  }
  assert.equal(date("nothing"), "–");
  assert.equal(number(12345), "12,345");
  assert.equal(ratio(1.234), "1.23");
});

test("characters that nobody sees are shown", () => {
  assert.equal(visible("a\u202egnp.exe\u0007\u009b\u200b"), "a[U+202E]gnp.exe\u2407[U+009B][U+200B]");
  assert.equal(visible("emoji 👩\u200d👩 می\u200cخواهم"), "emoji 👩\u200d👩 می\u200cخواهم");
  assert.equal(visible("\u2066x\u2069\ufeff\n"), "[U+2066]x[U+2069][U+FEFF]\u240a");
});

test("strings have values in the place of their names, and plurals", () => {
  assert.equal(t("list.n-torrents", { n: 1 }), "1 torrent");
  assert.equal(t("list.n-torrents", { n: 1200 }), "1,200 torrents");
  assert.equal(t("list.unfilter", { value: "{value} $& <b>" }), "Filter {value} $& <b>: remove");
  assert.equal(t("toString"), "toString");
  assert.equal(has("constructor"), false);
});

test("fragments lead somewhere, whatever they are", () => {
  const go = (fragment) => {
    const { page, id, tab, query } = parse(fragment);
    return [page, id, tab, query.get("magnet")];
  };
  assert.deepEqual(go(""), ["list", 0, "", null]);
  assert.deepEqual(go("#/"), ["list", 0, "", null]);
  assert.deepEqual(go("#/torrent/5/files"), ["torrent", 5, "files", null]);
  assert.deepEqual(go("#/torrent/5/nothing"), ["torrent", 5, "overview", null]);
  assert.deepEqual(go("#/torrent/05"), ["list", 0, "", null]);
  assert.deepEqual(go("#/torrent/../x"), ["list", 0, "", null]);
  assert.deepEqual(go("#/node/log"), ["node", 0, "log", null]);
  assert.deepEqual(go("#/node"), ["node", 0, "status", null]);
  assert.deepEqual(go("#/add?magnet=magnet%3A%3Fxt%3D1%26dn%3Da%3Fb"), ["add", 0, "", "magnet:?xt=1&dn=a?b"]);
  assert.deepEqual(go("#/__proto__/constructor"), ["list", 0, "", null]);
  assert.deepEqual(go("#/%E0%A4%A"), ["list", 0, "", null]);
});

test("columns give way where there is no room, the name never", () => {
  for (let room = 0; room < 3000; room += 50) {
    const shown = fitting(usual, room);
    assert.equal(shown[0].id, "name");
    const sum = shown.reduce((all, one) => all + one.width, 0);
    assert.ok(sum <= room || shown.length === 1, String(room));
  }
  assert.equal(fitting(usual, 3000).length, usual.length);
  assert.deepEqual(fitting(["nothing"], 3000), [columns[0]]);
});

test("events of the feed wait for a frame, in their order, but not while the page is hidden", async () => {
  /** @type {(() => void)[]} */
  const frames = [];
  const page = { hidden: false };
  Object.assign(globalThis, { document: page, requestAnimationFrame: (fn) => frames.push(fn) });
  const { store } = await import("../../page/js/store.js");
  const told = [];
  store.on("rows", (ids) => told.push([...ids]));
  const hear = (change) => {
    store.waiting.push(() => store.change(change));
    store.later();
  };
  hear({ id: 1, name: "one" });
  hear({ id: 1, name: "uno" });
  assert.equal(store.torrents.size, 0);
  for (let i = 0; i < 10 && frames.length; i++) frames.shift()();
  assert.equal(store.torrents.get(1).name, "uno");
  assert.deepEqual(told.flat(), told.flat().map(() => 1));
  assert.ok(told.length > 0);
  page.hidden = true;
  hear({ id: 2, name: "two" });
  assert.equal(store.torrents.get(2).name, "two");
  page.hidden = false;
  for (let id = 3; id < 3 + 1000; id++) hear({ id });
  assert.ok(store.torrents.size > 500, "a flood is taken without a frame");
});
