import assert from "node:assert/strict";
import { test } from "node:test";
import { hourOf, parseWeek, setHours, showWeek } from "../../page/js/schedule.js";

test("a schedule is written as briefly as it can be", () => {
  for (const [text, want] of [
    ["", ""], ["mon-fri 08:00-18:30", "mon-fri 08:00-18:30"],
    ["sat,sun 22:00-06:00", "sat,sun 22:00-06:00"], ["00:00-24:00", "00:00-24:00"],
    ["sun-sat 0:0-0:00", "00:00-24:00"], ["mon 08:00-10:00;mon 10:00-12:00", "mon 08:00-12:00"],
    ["fri-mon 09:00-10:00", "mon,fri-sun 09:00-10:00"], ["sun 23:00-01:00", "sun 23:00-01:00"],
    ["08:00-09:00", "08:00-09:00"], ["WED 1:05-2:00", "wed 01:05-02:00"],
    ["mon 12:00-24:00; tue 00:00-24:00; wed 00:00-01:00", "mon 12:00-24:00; tue 00:00-24:00; " +
      "wed 00:00-01:00"],
  ]) {
    const week = parseWeek(text);
    assert.ok(week, text);
    assert.equal(showWeek(week), want);
  }
});

test("what the daemon refuses is refused", () => {
  for (const text of ["x", "mon", "mon 8-9", "foo 08:00-09:00", "mon 08:60-09:00", "24:00-01:00",
    "mon 08:00-24:01", ";", "mon-tue-wed 08:00-09:00", "mon 08:00 - 09:00", "25:00-26:00",
    Array(65).fill("08:00-09:00").join(";")]) {
    assert.equal(parseWeek(text), undefined, text);
  }
});

test("each week comes back from its text", () => {
  let seed = 7;
  const next = (n) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
  for (let round = 0; round < 60; round++) {
    const week = parseWeek("");
    for (let i = next(12); i >= 0; i--) {
      const [a, b] = [0, 1].map(() => ({ day: next(7), hour: next(24) }));
      setHours(week, a, b, next(3) > 0);
    }
    week.fill(next(2), next(10080), next(10080));
    const text = showWeek(week);
    // The daemon takes at most 64 spans.
    if (text.split(";").length <= 64) assert.deepEqual(parseWeek(text), week, text);
  }
});

test("an hour is on, off or both", () => {
  const week = parseWeek("mon 08:00-18:30");
  assert.deepEqual([7, 8, 17, 18, 19].map((hour) => hourOf(week, 0, hour)), [0, 1, 1, 0.5, 0]);
  setHours(week, { day: 1, hour: 18 }, { day: 0, hour: 17 }, true);
  assert.equal(showWeek(week), "mon 08:00-19:00; tue 17:00-19:00");
  setHours(week, { day: 0, hour: 0 }, { day: 6, hour: 23 }, false);
  assert.equal(showWeek(week), "");
});
