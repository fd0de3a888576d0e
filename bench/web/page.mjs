// Measures the page in a browser, and prints a table:
// nodejs page.mjs URL MANY TORRENTS CHANGING SECONDS [FOLDER FOR PROFILES]

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [url, many, torrents, changing, seconds, profiles] = process.argv.slice(2);
const require = createRequire(join(process.env.SWARM_FRONTS, 'node_modules', 'x.js'));
const { chromium } = require('playwright-core');

const rows = '[role=row][aria-rowindex]:not([aria-rowindex="1"])';
const feedTime = 20_000;
const waitMax = 120_000;
const runs = 5;

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true,
  args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    '--enable-precise-memory-info', '--js-flags=--expose-gc'] });

const table = [];
const note = (what, measured, wanted) => {
  table.push({ what, measured, wanted });
  console.error(`${what}: ${measured}`);
};
const middle = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];

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

const first = [];
for (let i = 0; i < runs; i++) {
  const { context, page } = await open();
  await page.waitForFunction(() => window.firstRow);
  first.push(await page.evaluate(() => window.firstRow));
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
note('first row visible', `${middle(first).toFixed(0)} ms, median of ${runs}; ${Math.max(...first).toFixed(0)} ms at most`,
  'less than 1,000 ms');

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

// Scrolling, as a wheel does it, through the list and back. A frame's time is that from the one
// before.
const frames = await profile('scroll', () => page.evaluate((selector) => new Promise((resolve) => {
  let scroller = document.querySelector(selector);
  while (scroller && !/auto|scroll/.test(getComputedStyle(scroller).overflowY)) scroller = scroller.parentElement;
  const times = [];
  let last = performance.now();
  let step = 120;
  const frame = (now) => {
    times.push(now - last);
    last = now;
    scroller.scrollTop += step;
    if (times.length === 300) step = 900; // as somebody does who drags
    if (times.length < 600) requestAnimationFrame(frame);
    else resolve(times.slice(1));
  };
  requestAnimationFrame(frame);
}), rows));
const rate = (part) => (1000 / [...frames].sort((a, b) => a - b)[Math.floor(frames.length * part)]).toFixed(0);
note('frames a second while scrolling', `median ${rate(0.5)}, ${rate(0.95)} in the slowest twentieth`, 'at least 50');
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
const took = await profile('changes', () => page.evaluate(async ([n, each, rounds]) => {
  const began = performance.now();
  for (let round = 0; round < rounds; round++) {
    const batch = [];
    for (let i = 0; i < each; i++) {
      const id = 1 + (round * each + i) % n;
      batch.push({ id, 'down-rate': (round * 7919 + i * 31) % 5_000_000, 'up-rate': (round * 31 + i) % 900_000,
        got: round * 4096 + i, peers: (round + i) % 90, eta: (round + i * 7) % 90_000,
        labels: ['films', String(2000 + (round + i) % 25)], error: round % 50 === i ? `error ${round}` : '' });
    }
    window.feed.dispatchEvent(new MessageEvent('rows', { data: JSON.stringify(batch), lastEventId: '' }));
    if (round % 4 === 0) await new Promise((resolve) => { requestAnimationFrame(resolve); });
  }
  return performance.now() - began;
}, [Number(torrents), Number(changing), Number(seconds)]));
note('memory of JavaScript', `${before.toFixed(1)} MiB, and ${(await heap()).toFixed(1)} MiB after ` +
  `${(changing * seconds).toLocaleString('en')} changes in ${(took / 1000).toFixed(1)} s`, 'less than 60 MiB');
note('processor time for a second of changes', `${(took / seconds).toFixed(1)} ms`, '');

// The torrent of many files: from the click to its first files.
const opens = [];
for (let i = 0; i < runs; i++) {
  await page.evaluate(() => { location.hash = '#/'; });
  await page.waitForTimeout(500);
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
}
note('a torrent of 40,000 files opens', `median ${middle(opens).toFixed(0)} ms, ${Math.max(...opens).toFixed(0)} ms at most`,
  'less than 300 ms');

await browser.close();
console.log('| | measured | wanted |\n| --- | --- | --- |');
for (const { what, measured, wanted } of table) console.log(`| ${what} | ${measured} | ${wanted} |`);
process.exit(0);
