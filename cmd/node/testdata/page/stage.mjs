// What the stories of the page share: daemons, a browser, and what goes wrong in it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

// The test hands over what it has prepared: see pageStage in page_fronts_test.go.
export const stage = JSON.parse(process.env.SWARM_PAGE);
const require = createRequire(join(process.env.SWARM_FRONTS, 'node_modules', 'x.js'));
const { chromium } = require('playwright-core');

export const waitMax = 60_000;
const storyMax = 5 * waitMax;
const poll = 100;

// until calls probe until it returns something true, which it returns.
export async function until(what, probe) {
  let last;
  for (const end = Date.now() + waitMax; Date.now() < end;) {
    last = await probe();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, poll));
  }
  throw new Error(`${what} did not happen within ${waitMax / 1000} s`);
}

let hosts = 0;

// folder makes a folder of its own for one story.
export function folder() {
  return mkdtempSync(join(stage.work, 'f'));
}

const running = new Set();
process.on('exit', () => { for (const one of running) one.kill('SIGKILL'); });

// A Daemon is one run of the program with a page.
export class Daemon {
  // start starts the daemon in a folder, where one may have run before.
  static async start({ dir = folder(), args = [], port = 0, auth = '' } = {}) {
    const d = new Daemon();
    d.auth = auth;
    d.dir = dir;
    d.content = join(dir, 'content');
    // libtorrent limits nobody on a local address, and these count as public.
    d.host = `11.0.1.${++hosts}`;
    await d.run(['daemon', '--json', '--config', 'none', '--state-dir', join(dir, 'state'), '--dir', d.content,
      '--socket', join(dir, 'ctl'), '--bootstrap', 'none', '--listen', `${d.host}:0`, '--no-lsd', '--no-portmap',
      '--http', `127.0.0.1:${port}`, ...args]);
    return d;
  }

  // run starts the program and waits for its first event.
  async run(args) {
    this.said = '';
    this.events = [];
    this.program = spawn(stage.program, args, { stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, XDG_CONFIG_HOME: this.dir, HOME: this.dir } });
    running.add(this.program);
    this.ended = new Promise((resolve) => {
      this.program.once('exit', (code) => { running.delete(this.program); resolve(code); });
    });
    this.program.stderr.on('data', (part) => { this.said = (this.said + part).slice(-20_000); });
    createInterface({ input: this.program.stdout }).on('line', (line) => this.events.push(JSON.parse(line)));
    this.started = await until(`the start of ${args[0]}: ${this.said}`, () => {
      if (this.program.exitCode !== null) throw new Error(`${args.join(' ')}: ${this.said}`);
      return this.events.find((one) => one.http);
    });
    this.url = `http://${this.started.http[0].replace('http://', '')}`;
  }

  // ask asks the API, without the page.
  async ask(method, path, body) {
    const answer = await fetch(`${this.url}/api/v1${path}`, { method,
      headers: { ...body !== undefined && { 'Content-Type': 'application/json' },
        ...this.auth && { Authorization: `Basic ${btoa(this.auth)}` } },
      body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  // torrent waits for a torrent of a name that is as wanted.
  async torrent(name, good = () => true) {
    let all;
    return until(`${name}, as wanted`, async () => {
      all = (await this.ask('GET', '/torrents')).torrents;
      return all.find((one) => one.name === name && good(one));
    }).catch((err) => { throw new Error(`${err.message}: ${JSON.stringify(all)}`); });
  }

  async stop(signal = 'SIGTERM') {
    this.program.kill(signal);
    return this.ended;
  }
}

// cutter stands between the browser and a daemon, and cuts all connections when it is told to.
export async function cutter(target) {
  const open = new Set();
  let closed = false;
  const server = createServer((from) => {
    if (closed) { from.destroy(); return; }
    const { hostname, port } = new URL(cut.target);
    const to = connect(Number(port), hostname);
    for (const [one, other] of [[from, to], [to, from]]) {
      open.add(one);
      one.on('close', () => { open.delete(one); other.destroy(); });
      one.on('error', () => other.destroy());
    }
    from.pipe(to).pipe(from);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  server.unref(); // a story that fails does not close it
  const cut = {
    target,
    url: `http://127.0.0.1:${server.address().port}`,
    // cut ends what is open, and refuses what comes until heal.
    cut() { closed = true; for (const one of open) one.destroy(); },
    heal() { closed = false; },
    close() { this.cut(); server.close(); },
  };
  return cut;
}

let browser;

// launch starts the browser once for all stories.
export async function launch() {
  browser ??= await chromium.launch({
    executablePath: stage.chromium,
    headless: true,
    args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
      '--autoplay-policy=no-user-gesture-required'],
  });
  return browser;
}

// shut ends the browser.
export async function shut() {
  await browser?.close();
  browser = undefined;
}

// A 401 is said in the console although the page expects it, and a broken feed is, too.
const expected = /Failed to load resource|net::ERR_|ERR_INCOMPLETE_CHUNKED/;

// visit opens a page in a context of its own. It collects what no page may do: errors that it
// does not catch, lines in the console, and violations of its policy.
export async function visit(url, { options = {}, context } = {}) {
  context ??= await (await launch()).newContext({ viewport: { width: 1200, height: 800 }, locale: 'en-GB',
    timezoneId: 'UTC', ...options });
  context.setDefaultTimeout(waitMax);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (err) => faults.push(`error: ${err.stack ?? err}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) {
      faults.push(`${message.type()}: ${message.text()}`);
    }
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => {
      window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`);
    });
  });
  // What the page has asked for, but for its feed and for streams, which stay open.
  const asked = new Set();
  const answered = (request) => asked.delete(request);
  page.on('request', (request) => {
    if (['document', 'eventsource', 'media'].includes(request.resourceType())) return;
    if (!request.url().includes('/events')) asked.add(request);
  });
  page.on('requestfinished', answered);
  page.on('requestfailed', answered);
  // settled waits until the page has drawn what it has asked for.
  page.settled = () => until(`answers to ${[...asked].map((one) => one.url())}`, async () => {
    await page.evaluate(() => new Promise((resolve) => {
      requestAnimationFrame(() => requestAnimationFrame(resolve));
    }));
    return asked.size === 0;
  });
  if (url) await page.goto(url);
  page.faults = faults;
  // fine closes the page after a look at what went wrong.
  page.fine = async () => {
    assert.deepEqual(await page.evaluate(() => window.violations ?? []), []);
    assert.deepEqual(faults, []);
    await context.close();
  };
  return page;
}

// story is a test with a browser. If it fails, pictures of all pages are kept. Programs that it
// has left running are ended.
export function story(name, run) {
  test(name, { timeout: storyMax }, async () => {
    const before = new Set(running);
    try {
      await run();
    } catch (err) {
      for (const [i, context] of (browser?.contexts() ?? []).entries()) {
        for (const [j, page] of context.pages().entries()) {
          await picture(page, `failed-${name.replace(/\W+/g, '-')}-${i}-${j}`).catch(() => {});
        }
      }
      throw err;
    } finally {
      for (const context of browser?.contexts() ?? []) await context.close();
      for (const one of running) if (!before.has(one)) one.kill('SIGKILL');
    }
  });
}

// picture keeps what a page shows if the test wants pictures.
export async function picture(page, name) {
  if (!stage.pictures) return;
  await page.screenshot({ path: join(stage.pictures, `${name}.png`) });
}

// narrow asserts that nothing of a page is wider than its window.
export async function narrow(page, what) {
  const { wide, width } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth, width: document.documentElement.clientWidth }));
  assert.ok(wide <= width, `${what}: ${wide} pixels in a window of ${width}`);
}

