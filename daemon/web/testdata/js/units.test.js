import assert from "node:assert/strict";
import { test } from "node:test";
import * as units from "../../page/js/units.js";

const M = 1024 ** 2;

test("sizes are read in both languages", () => {
  for (const [text, lang, want] of [
    ["", "en", 0], ["0", "en", 0], ["500", "en", 500], ["500k", "en", 512000],
    ["1.5M", "en", 1.5 * M], ["1.5M", "de", 1.5 * M], ["1,5 M", "de", 1.5 * M],
    ["1,5M", "en", 1.5 * M], ["2 MiB/s", "en", 2 * M], ["2 mb/s", "de", 2 * M],
    ["1,500", "en", 1500], ["1.500", "de", 1500], ["1.500", "en", 2], ["1,500", "de", 2],
    ["1.234.567", "de", 1234567], ["1 234 567", "en", 1234567], ["1,234.5k", "en", 1264128],
    ["1.234,5k", "de", 1264128], [".5k", "en", 512], ["3G", "en", 3 * 1024 * M],
    ["1t", "en", M * M], [" 7 bytes ", "en", 7], ["1024T", "en", 2 ** 50],
  ]) assert.equal(units.parseSize(text, lang), want, `${text} (${lang})`);
});

test("what is no size is refused", () => {
  for (const text of ["x", "-1", "1.5.5", "1,2,3", "5 X", "k", "1.234.5", "1 M M", "1025T", "1e9",
    "0x10", ",", "1,234,567.8.9", "NaN", "Infinity"]) {
    assert.ok(Number.isNaN(units.parseSize(text, "en")), text);
  }
});

test("a size that is written is read as the same", () => {
  for (const lang of ["en", "de"]) {
    for (const n of [0, 1, 999, 1000, 1024, 1536, 1500, 512000, 1.5 * M, M + 1, 1234567, 5e9,
      1.25 * 2 ** 30, 2 ** 50, 1001, 10250, 1.024e6]) {
      const text = units.showSize(n, lang);
      assert.equal(units.parseSize(text, lang), n, `${n} as ${text} (${lang})`);
    }
  }
  assert.equal(units.showSize(1.5 * M, "de"), "1,5 M");
  assert.equal(units.showSize(1.5 * M, "en"), "1.5 M");
  assert.equal(units.showSize(0, "en"), "");
});

test("times are read in words of both languages", () => {
  for (const [text, lang, want] of [
    ["", "en", 0], ["0", "en", 0], ["30m", "en", 1800], ["30 min", "de", 1800],
    ["1h30m", "en", 5400], ["1 d 12 h", "en", 129600], ["72 Std.", "de", 259200],
    ["3 Tage", "de", 259200], ["1 day", "en", 86400], ["2 weeks", "en", 1209600],
    ["1 Woche", "de", 604800], ["2 Stunden", "de", 7200], ["90 seconds", "en", 90],
    ["1,5 h", "de", 5400], ["1 Minute 5 Sekunden", "de", 65],
  ]) assert.equal(units.parseTime(text, lang), want, `${text} (${lang})`);
  for (const text of ["30", "h", "5 y", "-1h", "1h x", "1 h 2", "constructor"]) {
    assert.ok(Number.isNaN(units.parseTime(text, "en")), text);
  }
});

test("a time that is written is read as the same", () => {
  for (const lang of ["en", "de"]) {
    for (const n of [0, 1, 0.5, 60, 1800, 5400, 86400, 259200, 90061, 604800]) {
      assert.equal(units.parseTime(units.showTime(n, lang), lang), n, String(n));
    }
  }
});
