// Drives a daemon through the server of Flood, by the requests of its page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { content, film, magnet, module, rest, rpc, until } from './stage.mjs';

const [home] = rest;
const address = ['127.0.0.4', '3000']; // the network is ours alone
const flood = spawn(process.execPath, [module('flood/dist/index.js'), '--auth', 'none',
  '--host', address[0], '--port', address[1], '--rundir', home,
  '--trurl', rpc, '--truser', 'u', '--trpass', 'p'], { stdio: ['ignore', 'inherit', 'inherit'] });
process.on('exit', () => flood.kill());
const base = `http://${address.join(':')}/api`;
let cookie = '';

async function ask(method, path, body) {
  const answer = await fetch(base + path, {
    method,
    headers: { cookie, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  const set = answer.headers.get('set-cookie');
  if (set) cookie = set.split(';')[0];
  return text ? JSON.parse(text) : undefined;
}

// list returns the torrents that the page shows, by name. The server of Flood sends all of them
// as the first events of its stream.
async function list() {
  const abort = new AbortController();
  const answer = await fetch(`${base}/activity-stream?historySnapshot=FIVE_MINUTE`, {
    headers: { cookie, accept: 'text/event-stream' },
    signal: abort.signal,
  });
  let text = '';
  try {
    for await (const part of answer.body) {
      text += Buffer.from(part).toString();
      const event = /event: ?TORRENT_LIST_FULL_UPDATE\ndata: ?(.*)\n\n/.exec(text) ??
        /data: ?(.*)\nevent: ?TORRENT_LIST_FULL_UPDATE\n/.exec(text);
      if (event) {
        const all = Object.values(JSON.parse(event[1]));
        return Object.fromEntries(all.map((one) => [one.name, one]));
      }
    }
  } finally {
    abort.abort();
  }
  throw new Error(`the stream of Flood ended: ${text}`);
}

const shown = (what, good) => until(what, async () => good(await list()));

await until('the start of Flood', () => ask('GET', '/auth/verify').catch(() => false));
await ask('GET', '/auth/verify');
assert.deepEqual(await ask('GET', '/client/connection-test'), { isConnected: true });

// Settings of all.
let settings = await ask('GET', '/client/settings');
assert.equal(settings.directoryDefault, content);
await ask('PATCH', '/client/settings', { throttleGlobalUpSpeed: 2_000_000 });
settings = await ask('GET', '/client/settings');
assert.ok(settings.throttleGlobalUpSpeed > 1_900_000, `upload limit ${settings.throttleGlobalUpSpeed}`);

// A file, stopped, without one of its files.
const [hash] = await ask('POST', '/torrents/add-files', {
  files: [readFileSync(film).toString('base64')],
  destination: content,
  tags: ['films'],
  start: false,
});
let one = await shown('Film', (all) => all.Film);
assert.equal(one.hash, hash.toUpperCase());
assert.ok(one.status.includes('stopped'), one.status.join());
assert.deepEqual(one.tags, ['films']);
assert.equal(one.sizeBytes, 3 * 512 * 1024);
assert.equal(one.directory, content);
await ask('PATCH', `/torrents/${hash}/contents`, { indices: [1], priority: 0 });
await ask('PATCH', `/torrents/${hash}/contents`, { indices: [0], priority: 2 });
let files = await ask('GET', `/torrents/${hash}/contents`);
assert.deepEqual(files.map((f) => f.priority), [2, 0, 1]);
assert.deepEqual(files.map((f) => f.path).sort(),
  ['Film/one.bin', 'Film/three.bin', 'Film/two.bin']);
const trackers = await ask('GET', `/torrents/${hash}/trackers`);
assert.equal(trackers.length, 1);
assert.equal(trackers[0].type, 1);

// It runs, with all files, until it seeds.
await ask('POST', '/torrents/start', { hashes: [hash] });
await ask('PATCH', `/torrents/${hash}/contents`, { indices: [1], priority: 1 });
await shown('the whole film', (all) =>
  all.Film?.percentComplete === 100 && all.Film.status.includes('seeding'));
files = await ask('GET', `/torrents/${hash}/contents`);
assert.ok(files.every((f) => f.percentComplete === 100));
assert.ok(Array.isArray(await ask('GET', `/torrents/${hash}/peers`)));
await ask('PATCH', '/torrents/tags', { hashes: [hash], tags: ['films', 'seen'] });
await ask('PATCH', '/torrents/priority', { hashes: [hash], priority: 3 });
await ask('POST', '/torrents/reannounce', { hashes: [hash] });
await ask('PATCH', '/torrents/trackers', {
  hashes: [hash],
  trackers: ['http://127.0.0.3:1/announce'],
});
assert.deepEqual((await ask('GET', `/torrents/${hash}/trackers`)).map((t) => t.url),
  ['http://127.0.0.3:1/announce']);
await ask('POST', '/torrents/move', {
  hashes: [hash],
  destination: `${content}/films`,
  moveFiles: true,
  isBasePath: false,
  isCheckHash: false,
});
await shown('the move', (all) => all.Film?.directory === `${content}/films`);
await ask('POST', '/torrents/check-hash', { hashes: [hash] });
await shown('the check', (all) =>
  all.Film?.percentComplete === 100 && all.Film.status.includes('seeding'));
await ask('POST', '/torrents/stop', { hashes: [hash] });
one = await shown('the stop', (all) => all.Film?.status.includes('stopped') && all.Film);
assert.deepEqual([...one.tags].sort(), ['films', 'seen']);

// A link.
const [song] = await ask('POST', '/torrents/add-urls', {
  urls: [magnet],
  destination: content,
  start: true,
});
await shown('the song', (all) => all['Song.bin']?.percentComplete === 100);

await ask('POST', '/torrents/delete', { hashes: [song], deleteData: true });
await ask('POST', '/torrents/delete', { hashes: [hash], deleteData: false });
await shown('the end of both', (all) => Object.keys(all).length === 0);
console.log('Flood did all of it');
process.exit(0);
