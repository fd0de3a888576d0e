// @ts-check
// The week of the alternative limits, as the daemon writes it ("mon-fri 08:00-18:30; sun
// 22:00-06:00") and as the minutes of seven days. Nothing here touches the page.

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY = 24 * 60;
const WEEK = 7 * DAY;
const SPANS = 64;

/** A Week has 1 for each minute from Monday 00:00 that the schedule has. */
/** @typedef {Uint8Array} Week */

/**
 * Reads a schedule.
 * @param {string} text
 * @returns {Week | undefined} nothing if it is wrong
 */
export function parseWeek(text) {
  const week = new Uint8Array(WEEK);
  if (text.trim() === "") return week;
  const spans = text.toLowerCase().split(";");
  if (spans.length > SPANS) return undefined;
  for (const span of spans) {
    const found = /^(?:([a-z,-]+)\s+)?(\d\d?):(\d\d?)-(\d\d?):(\d\d?)$/.exec(span.trim());
    if (!found) return undefined;
    const [, days = "mon-sun", h1, m1, h2, m2] = found;
    const [from, to] = [minute(h1, m1), minute(h2, m2)];
    if (!(from < DAY && to <= DAY)) return undefined;
    const length = to > from ? to - from : to - from + DAY;
    for (const day of parseDays(days) ?? [NaN]) {
      if (Number.isNaN(day)) return undefined;
      for (let i = 0; i < length; i++) week[(day * DAY + from + i) % WEEK] = 1;
    }
  }
  return week;
}

/**
 * @param {string | undefined} hours
 * @param {string | undefined} minutes
 */
function minute(hours, minutes) {
  return Number(minutes) > 59 ? NaN : Number(hours) * 60 + Number(minutes);
}

/** @param {string} text */
function parseDays(text) {
  const days = new Set();
  for (const part of text.split(",")) {
    const [from = "", to = from, more] = part.split("-");
    const [first, last] = [DAYS.indexOf(from), DAYS.indexOf(to)];
    if (first < 0 || last < 0 || more !== undefined) return undefined;
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === last) break;
    }
  }
  return [...days];
}

/**
 * Writes a schedule as briefly as parseWeek and the daemon read it.
 * @param {Week} week
 */
export function showWeek(week) {
  if (week.every((on) => on === 1)) return "00:00-24:00";
  /** @type {Map<string, number[]>} */
  const spans = new Map();
  for (let at = 0; at < WEEK; at++) {
    if (!week[at] || week[(at + WEEK - 1) % WEEK]) continue;
    for (let from = at, left = runFrom(week, at); left > 0;) {
      const begin = from % DAY;
      // A span of more than a day is cut at midnight.
      const length = left <= DAY ? left : Math.min(left, DAY - begin);
      const end = begin + length;
      const time = `${clock(begin)}-${clock(end > DAY ? end - DAY : end)}`;
      spans.set(time, [...(spans.get(time) ?? []), Math.floor(from / DAY) % 7]);
      from += length;
      left -= length;
    }
  }
  const order = [...spans].sort(([a, x], [b, y]) => (x[0] ?? 0) - (y[0] ?? 0) || (a < b ? -1 : 1));
  return order.map(([time, days]) => (days.length === 7 ? "" : `${showDays(days)} `) + time)
    .join("; ");
}

/**
 * @param {Week} week
 * @param {number} at
 */
function runFrom(week, at) {
  let n = 0;
  while (n < WEEK && week[(at + n) % WEEK]) n++;
  return n;
}

/** @param {number} minutes */
function clock(minutes) {
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** @param {number[]} days */
function showDays(days) {
  const sorted = [...days].sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i < sorted.length;) {
    let j = i;
    while (sorted[j + 1] === (sorted[j] ?? 0) + 1) j++;
    const [first, last] = [DAYS[sorted[i] ?? 0], DAYS[sorted[j] ?? 0]];
    parts.push(i === j ? first : j === i + 1 ? `${first},${last}` : `${first}-${last}`);
    i = j + 1;
  }
  return parts.join(",");
}

/**
 * Says how much of an hour the schedule has: 0, 1, or something between.
 * @param {Week} week
 * @param {number} day from 0, Monday
 * @param {number} hour
 */
export function hourOf(week, day, hour) {
  const at = day * DAY + hour * 60;
  return week.subarray(at, at + 60).reduce((sum, on) => sum + on, 0) / 60;
}

/**
 * Switches whole hours of whole days on or off, from one corner of the grid to the other.
 * @param {Week} week
 * @param {{day: number, hour: number}} a
 * @param {{day: number, hour: number}} b
 * @param {boolean} on
 */
export function setHours(week, a, b, on) {
  for (let day = Math.min(a.day, b.day); day <= Math.max(a.day, b.day); day++) {
    const from = day * DAY + Math.min(a.hour, b.hour) * 60;
    week.fill(on ? 1 : 0, from, day * DAY + (Math.max(a.hour, b.hour) + 1) * 60);
  }
}
