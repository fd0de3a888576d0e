// Drives a daemon through @ctrl/transmission.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { content, film, magnet, module, rpc, until } from './stage.mjs';

const { Transmission } = await import(module('@ctrl/transmission/dist/src/index.js'));
const client = new Transmission({ baseUrl: new URL(rpc).origin, path: '/transmission/rpc' });

const session = (await client.getSession()).arguments;
assert.match(session.version, /^4\.1\.0 \(swarmnode /);
assert.equal(session['download-dir'], content);
assert.ok(session['rpc-version'] >= 17, 'rpc-version');

// raw returns the fields of the torrent with an id, undefined if there is none.
const raw = async (id, ...fields) =>
  (await client.listTorrents(id, fields)).arguments.torrents[0];

// A file, paused; its files, priorities and limits.
const added = (await client.addTorrent(new Uint8Array(readFileSync(film)), {
  paused: true,
  'download-dir': content,
})).arguments['torrent-added'];
assert.equal(added.name, 'Film');
const id = added.hashString;
assert.equal((await client.getTorrent(id)).state, 'paused');
await client.setTorrent(id, {
  'files-unwanted': [1],
  'priority-high': [0],
  downloadLimit: 5000,
  downloadLimited: true,
  seedRatioLimit: 3.5,
  seedRatioMode: 1,
  labels: ['films', 'new'],
});
let t = await raw(id, 'files', 'wanted', 'priorities', 'downloadLimit', 'downloadLimited',
  'seedRatioLimit', 'seedRatioMode', 'labels', 'trackers', 'sizeWhenDone', 'totalSize');
const names = t.files.map((f) => f.name);
assert.deepEqual([...names].sort(), ['Film/one.bin', 'Film/three.bin', 'Film/two.bin']);
assert.deepEqual(t.wanted, [1, 0, 1]);
assert.deepEqual(t.priorities, [1, 0, 0]);
assert.equal(t.downloadLimit, 5000);
assert.equal(t.downloadLimited, true);
assert.equal(t.seedRatioLimit, 3.5);
assert.equal(t.seedRatioMode, 1);
assert.deepEqual(t.labels, ['films', 'new']);
assert.equal(t.trackers.length, 1);
assert.equal(t.totalSize, 3 * 512 * 1024);
assert.equal(t.sizeWhenDone, 2 * 512 * 1024);

// The same file again is no error.
const again = await client.addTorrent(new Uint8Array(readFileSync(film)), {
  'download-dir': content,
});
assert.equal(again.arguments['torrent-duplicate'].hashString, id);

// It runs until what is wanted is there, and then until all is.
await client.resumeTorrent(id);
await until('two files', async () => (await client.getTorrent(id)).isCompleted);
t = await raw(id, 'percentDone', 'fileStats', 'haveValid');
assert.equal(t.percentDone, 1);
assert.equal(t.fileStats[0].bytesCompleted, 512 * 1024);
assert.equal(t.fileStats[1].bytesCompleted, 0);
await client.setTorrent(id, { 'files-wanted': [1] });
await until('all files', async () => {
  const now = await client.getTorrent(id);
  return now.isCompleted && now.state === 'seeding';
});
await client.pauseTorrent(id);
await until('the pause', async () => (await client.getTorrent(id)).state === 'paused');

// It moves, gets another name, is verified, and is still whole.
await client.moveTorrent(id, `${content}/films`);
await until('the move', async () => (await client.getTorrent(id)).savePath === `${content}/films`);
await client.renamePath(id, { path: 'Film', name: 'Movie' });
await until('the name', async () => (await client.getTorrent(id)).name === 'Movie');
await client.verifyTorrent(id);
await until('the check', async () => {
  const now = await client.getTorrent(id);
  return now.state === 'paused' && now.progress === 1;
});

// A link; the queue; the limits of all.
const song = (await client.addMagnet(magnet, { 'download-dir': content })).arguments;
const songID = song['torrent-added'].hashString;
await until('the song', async () => {
  const now = await client.getTorrent(songID);
  return now.isCompleted && now.name === 'Song.bin' && now.totalSize === 1024 * 1024;
});
await client.queueTop(songID);
assert.equal((await client.getTorrent(songID)).queuePosition, 0);
await client.queueBottom(songID);
assert.equal((await client.getTorrent(songID)).queuePosition, 1);
await client.reannounceTorrent(songID);
await client.setSession({ 'speed-limit-down': 500, 'speed-limit-down-enabled': true });
const changed = (await client.getSession()).arguments;
assert.equal(changed['speed-limit-down'], 500);
assert.equal(changed['speed-limit-down-enabled'], true);
const space = (await client.freeSpace(content)).arguments;
assert.ok(space['size-bytes'] > 0, 'free space');

const all = await client.getAllData();
assert.deepEqual(all.torrents.map((one) => one.name).sort(), ['Movie', 'Song.bin']);
assert.deepEqual(all.labels.map((one) => one.name), ['films']); // it shows the first label

// One goes with its content, the other without.
await client.removeTorrent(songID, true);
await client.removeTorrent(id, false);
assert.equal((await client.getAllData()).torrents.length, 0);
console.log('@ctrl/transmission did all of it');
