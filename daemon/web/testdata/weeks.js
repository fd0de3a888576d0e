// Prints weeks as the page writes them, each with the half hours that it means.
import { parseWeek, setHours, showWeek } from "../page/js/schedule.js";

let seed = 11;
const next = (n) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
const weeks = [];
for (let round = 0; round < 40; round++) {
  const week = parseWeek("");
  for (let i = next(8); i >= 0; i--) {
    setHours(week, { day: next(7), hour: next(24) }, { day: next(7), hour: next(24) }, next(3) > 0);
  }
  const half = next(336) * 30;
  week.fill(1, half, half + 30);
  weeks.push({ text: showWeek(week), halves: Array.from({ length: 336 }, (_, i) => week[i * 30]) });
}
console.log(JSON.stringify(weeks));
