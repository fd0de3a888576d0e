// Measures the page in a browser, and prints a table:
// nodejs page.mjs URL MANY TORRENTS CHANGING SECONDS [FOLDER FOR PROFILES]

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [url, many, torrents, changing, seconds, profiles] = process.argv.slice(2);
const require = createRequire(join(process.env.SWARM_FRONTS, 'node_modules', 'x.js'));
const { chromium } = require('playwright-core');

const rows = '[role=row][aria-rowindex]:not([aria-rowindex="1"])';
const feedTime = 20_000;
const waitMax = 60_000;
const runs = 5;
// What scrolling, and the changes of an hour, may take, in milliseconds. A loaded machine gets less
// far, and the table says how far.
const scrollMax = 20_000;
const changesMax = 120_000;

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true,
  args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    '--enable-precise-memory-info', '--js-flags=--expose-gc'] });

const table = [];
const note = (what, measured, wanted) => {
  table.push({ what, measured, wanted });
  console.error(`${what}: ${measured}`);
};
const middle = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];

// used returns the processor time of the browser's processes so far, in milliseconds. It says more
// than a clock when others use the machine.
const tick = 10;
function used() {
  const all = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // Children that have ended count with their parents.
      const ticks = [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0);
      all.set(Number(pid), { parent: Number(fields[1]), time: ticks * tick });
    } catch {
      // The process has ended.
    }
  }
  const ours = (pid) => {
    for (; pid; pid = all.get(pid)?.parent ?? 0) if (pid === process.pid) return true;
    return false;
  };
  let sum = 0;
  for (const [pid, { time }] of all) if (pid !== process.pid && ours(pid)) sum += time;
  return sum;
}

// load says how busy the machine is.
const load = () => readFileSync('/proc/loadavg', 'utf8').split(' ', 1)[0];

// open opens the page as for the first time. window.firstRow is when the first torrent showed.
async function open(path = '/') {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(waitMax);
  await page.addInitScript((selector) => {
    const look = () => {
      const row = document.querySelector(selector);
      if (row && row.textContent.trim() !== '' && row.getBoundingClientRect().height > 0) {
        // The frame after this one shows it.
        requestAnimationFrame(() => { window.firstRow = performance.now(); });
      } else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    // Batches of changes are sent to the page as the feed would send them.
    const Real = window.EventSource;
    window.EventSource = class extends Real {
      constructor(...args) {
        super(...args);
        window.feed = this;
      }
    };
  }, rows);
  await page.goto(new URL(path, url).href);
  return { context, page };
}

note('load of the machine', load(), '');
const first = [];
const painted = [];
const firstUsed = [];
for (let i = 0; i < runs; i++) {
  const since = used();
  const { context, page } = await open();
  await page.waitForFunction(() => window.firstRow);
  first.push(await page.evaluate(() => window.firstRow));
  painted.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN));
  firstUsed.push(used() - since);
  if (i === 0) {
    await page.waitForTimeout(2000);
    const files = await page.evaluate(() => performance.getEntriesByType('resource')
      .concat(performance.getEntriesByType('navigation'))
      .filter((one) => !one.name.includes('/api/'))
      .map((one) => ({ name: one.name, sent: one.transferSize, whole: one.decodedBodySize })));
    const sum = (key) => (files.reduce((n, one) => n + one[key], 0) / 1024).toFixed(1);
    note('files of the page that the list loads', `${files.length}: ${sum('whole')} KiB, ${sum('sent')} KiB sent`,
      'less than 150 KiB');
  }
  await context.close();
}
note('first paint', `${middle(painted).toFixed(0)} ms, median of ${runs}; ${Math.max(...painted).toFixed(0)} ms at most`,
  'less than 1,000 ms');
note('first row visible', `${middle(first).toFixed(0)} ms, median of ${runs}; ${Math.max(...first).toFixed(0)} ms at most`,
  'less than 1,000 ms');
const emptyUsed = [];
for (let i = 0; i < runs; i++) {
  const since = used();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto('about:blank');
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(resolve); }));
  emptyUsed.push(used() - since);
  await context.close();
}
note('processor time of the browser until the first row', `${middle(firstUsed)} ms, and ${middle(emptyUsed)} ms for an empty page`, '');

// frameTimes returns the times between frames while a scroller goes down, at first as a wheel moves
// it and then as somebody does who drags. Without a scroller it is what the machine can do at all.
async function frameTimes(page, selector) {
  const since = used();
  const times = await page.evaluate(([selector, max]) => new Promise((resolve) => {
    let scroller = selector && document.querySelector(selector);
    while (scroller && !/auto|scroll/.test(getComputedStyle(scroller).overflowY)) scroller = scroller.parentElement;
    const times = [];
    const began = performance.now();
    let last = began;
    const frame = (now) => {
      times.push(now - last);
      last = now;
      if (scroller) scroller.scrollTop += times.length < 300 ? 120 : 900;
      if (times.length < 600 && now - began < max) requestAnimationFrame(frame);
      else resolve(times.slice(1));
    };
    requestAnimationFrame(frame);
  }), [selector, scrollMax]);
  const sorted = [...times].sort((a, b) => a - b);
  const rate = (part) => (1000 / sorted[Math.floor(sorted.length * part)]).toFixed(0);
  return { rate: rate(0.5), slowest: rate(0.95), each: ((used() - since) / times.length).toFixed(1) };
}

// What the machine can do: a page with nothing in it, and one with lines of plain text.
{
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const say = ({ rate, slowest, each }) => `median ${rate}, ${slowest} in the slowest twentieth; ${each} ms of processor time for each`;
  note('frames a second of an empty page', say(await frameTimes(page, '')), '');
  await page.setContent('<div id=s style="height:850px;overflow:auto"></div>');
  await page.evaluate((n) => {
    const lines = [];
    for (let i = 0; i < n; i++) lines.push(`<div style="height:36px;contain:strict">Line ${i} of a page with plain text</div>`);
    document.querySelector('#s').innerHTML = lines.join('');
  }, Number(torrents));
  note('frames a second while plain text scrolls', say(await frameTimes(page, '#s div')), '');
  await context.close();
}

const { page } = await open();
const cdp = await page.context().newCDPSession(page);
await page.waitForFunction(() => window.firstRow);
await page.waitForFunction(([selector, n]) => {
  const grid = document.querySelector(selector)?.closest('[aria-rowcount]');
  return Number(grid?.getAttribute('aria-rowcount')) >= n;
}, [rows, Number(torrents)]);
const count = () => page.evaluate((selector) => document.querySelectorAll(selector).length, rows);
note('rows in the document', String(await count()), 'less than 200');

// profile keeps a processor profile of what happens meanwhile.
async function profile(name, during) {
  if (!profiles) return during();
  await cdp.send('Profiler.enable');
  await cdp.send('Profiler.start');
  const result = await during();
  const { profile: taken } = await cdp.send('Profiler.stop');
  writeFileSync(join(profiles, `${name}.cpuprofile`), JSON.stringify(taken));
  return result;
}

const frames = await profile('scroll', () => frameTimes(page, rows));
note('frames a second while scrolling', `median ${frames.rate}, ${frames.slowest} in the slowest twentieth; ` +
  `${frames.each} ms of processor time for each`, 'at least 50');
note('rows in the document after scrolling', String(await count()), 'less than 200');

// Filters, by the field that searches: the time until the frame after the list has changed.
const filters = await profile('filter', () => page.evaluate(async () => {
  const field = document.querySelector('input[type=search]');
  const grid = document.querySelector('[aria-rowcount]');
  const times = [];
  for (const text of ['lecture', '', 'atlas survey', '', 'part 00', '', 'nothing has this', '', 'films', '']) {
    const before = grid.getAttribute('aria-rowcount');
    const began = performance.now();
    field.value = text;
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    while (grid.getAttribute('aria-rowcount') === before && performance.now() - began < 5000) {
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
    }
    await new Promise((resolve) => { requestAnimationFrame(resolve); });
    times.push(performance.now() - began);
    await new Promise((resolve) => { setTimeout(resolve, 300); });
  }
  return times;
}));
note('a filter shows its list', `median ${middle(filters).toFixed(0)} ms, ${Math.max(...filters).toFixed(0)} ms at most`,
  'less than 100 ms');

// The feed, as it comes over the network, headers left out.
let bytes = 0;
await cdp.send('Network.enable');
cdp.on('Network.dataReceived', (e) => { if (e.requestId === feedId) bytes += e.encodedDataLength || e.dataLength; });
let feedId;
cdp.on('Network.requestWillBeSent', (e) => { if (e.request.url.includes('/events')) feedId = e.requestId; });
await page.reload();
await page.waitForFunction(() => window.firstRow);
await page.waitForTimeout(3000); // the first batch has each torrent
bytes = 0;
await page.waitForTimeout(feedTime);
note(`the feed, ${changing} torrents changing each second`, `${(bytes / 1024 / (feedTime / 1000)).toFixed(1)} KiB/s`,
  'less than 50 KiB/s');

// Memory after changes of all kinds that an hour brings, given to the page as fast as it takes them.
const heap = async () => {
  await cdp.send('HeapProfiler.collectGarbage');
  const { usedSize } = await cdp.send('Runtime.getHeapUsage');
  return usedSize / 1048576;
};
const before = await heap();
const rounds = await profile('changes', () => page.evaluate(async ([n, each, rounds, max]) => {
  const began = performance.now();
  let frame = began;
  let round = 0;
  for (; round < rounds && performance.now() - began < max; round++) {
    const batch = [];
    for (let i = 0; i < each; i++) {
      const id = 1 + (round * each + i) % n;
      batch.push({ id, 'down-rate': (round * 7919 + i * 31) % 5_000_000, 'up-rate': (round * 31 + i) % 900_000,
        got: round * 4096 + i, peers: (round + i) % 90, eta: (round + i * 7) % 90_000,
        labels: ['films', String(2000 + (round + i) % 25)], error: round % 50 === i ? `error ${round}` : '' });
    }
    window.feed.dispatchEvent(new MessageEvent('rows', { data: JSON.stringify(batch), lastEventId: '' }));
    // The page takes what waits in its frames, and all at once if too much does.
    if (performance.now() - frame > 50) {
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
      frame = performance.now();
    }
  }
  const { store } = await import('/js/store.js');
  while (store.waiting.length > 0) await new Promise((resolve) => { requestAnimationFrame(resolve); });
  return round;
}, [Number(torrents), Number(changing), Number(seconds), changesMax]));
note('memory of JavaScript', `${before.toFixed(1)} MiB, and ${(await heap()).toFixed(1)} MiB after ` +
  `${(changing * rounds).toLocaleString('en')} changes, which take ${rounds} s`, 'less than 60 MiB');

// The torrent of many files: from the click to its first files.
const opens = [];
const opensUsed = [];
for (let i = 0; i < runs; i++) {
  await page.evaluate(() => { location.hash = '#/'; });
  await page.waitForTimeout(500);
  const since = used();
  opens.push(await profile(`files-${i}`, () => page.evaluate(async (id) => {
    const began = performance.now();
    location.hash = `#/torrent/${id}/files`;
    for (;;) {
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
      const row = document.querySelector('[role=treegrid] [role=row][aria-level], [role=treeitem]');
      if (row && /folder \d|Many files/.test(row.textContent)) break;
      if (performance.now() - began > 30_000) throw new Error('no files');
    }
    return performance.now() - began;
  }, many)));
  opensUsed.push(used() - since);
}
note('a torrent of 40,000 files opens', `median ${middle(opens).toFixed(0)} ms, ${Math.max(...opens).toFixed(0)} ms at most`,
  'less than 300 ms');
note('processor time of the browser until it is open', `${middle(opensUsed)} ms`, '');
note('load of the machine at the end', load(), '');

await browser.close();
console.log('| | measured | wanted |\n| --- | --- | --- |');
for (const { what, measured, wanted } of table) console.log(`| ${what} | ${measured} | ${wanted} |`);
process.exit(0);
