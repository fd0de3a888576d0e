// Drives a daemon through a web client of Transmission in a browser: that of 3.00, which speaks
// the legacy protocol, or that of 4.1, which speaks JSON-RPC.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { browse } from './browser.mjs';
import { content, film, magnet, rest, rpc, until } from './stage.mjs';

const [version, home] = rest;
const pictures = process.env.SWARM_FRONTS_PICTURES; // a folder for what the page looks like
const { run, choose, picture, close, faults, requests, answers } = await browse(new URL('/', rpc).href, home);

const click = (selector) => run((s) => {
  const e = document.querySelector(s);
  if (!e) throw new Error(`there is no ${s}`);
  e.click();
}, selector);
const fill = (selector, text) => run((s, value) => {
  document.querySelector(s).value = value;
}, selector, text);
const there = (selector) => run((s) => Boolean(document.querySelector(s)), selector);
// key presses a key that is a shortcut of the page of 4.1.
const key = (letter) => run((k) => document.dispatchEvent(new KeyboardEvent('keydown',
  { key: k, keyCode: k.charCodeAt(0), bubbles: true })), letter);
const call = (method, ...args) => run((m, list) => {
  transmission[m](...list);
}, method, args);

// How each client does what both can do.
const confirm = '.dialog-buttons button:last-of-type';
const clients = {
  '3.00': {
    list: '#torrent_list > li.torrent',
    name: '.torrent_name',
    details: '.torrent_progress_details',
    select: (row) => run((i) => { $('#torrent_list > li.torrent').eq(i).click(); }, row),
    addFile: async () => {
      await click('#toolbar-open');
      await choose('#torrent_upload_file', film);
      await run(() => { $('#torrent_auto_start').prop('checked', false); });
      await run(() => { $('#upload_confirm_button').click(); });
    },
    addLink: async () => {
      await click('#toolbar-open');
      await fill('#torrent_upload_url', magnet);
      await run(() => { $('#torrent_auto_start').prop('checked', true); });
      await run(() => { $('#upload_confirm_button').click(); });
    },
    start: () => call('startSelectedTorrents', false),
    stop: () => click('#toolbar-pause'),
    move: async (folder) => {
      await call('moveSelectedTorrents', false);
      await fill('input#torrent_path', folder);
      await run(() => { $('#move_confirm_button').click(); });
    },
    remove: async () => {
      await call('removeSelectedTorrents');
      await run(() => { $('#dialog_confirm_button').click(); });
    },
    removeData: async () => {
      await call('removeSelectedTorrentsAndData');
      await run(() => { $('#dialog_confirm_button').click(); });
    },
    limit: () => run(() => {
      transmission.remote.savePrefs({
        'speed-limit-down-enabled': true, 'speed-limit-down': 4321 });
    }),
    openFiles: async () => {
      await click('#toolbar-inspector');
      await run(() => { $('#inspector-tab-files').click(); });
    },
    file: '#inspector_file_list :has(> .file_wanted_control)',
    fileName: '.inspector_torrent_file_list_entry_name',
    wanted: '.file_wanted_control',
    method: '"method":"torrent-get"',
  },
  4.1: {
    list: '#torrent-list > li.torrent',
    name: '.torrent-name',
    details: '.torrent-progress-details',
    select: (row) => run((i) => {
      document.querySelectorAll('#torrent-list > li.torrent')[i].click();
    }, row),
    addFile: async () => {
      await click('#toolbar-open');
      await choose('dialog input[type=file]', film);
      await run(() => { document.querySelector('#auto-start-check').checked = false; });
      await click(confirm);
    },
    addLink: async () => {
      await click('#toolbar-open');
      await fill('dialog input[type=url]', magnet);
      await run(() => { document.querySelector('#auto-start-check').checked = true; });
      await click(confirm);
    },
    start: () => click('#toolbar-start'),
    stop: () => click('#toolbar-pause'),
    move: async (folder) => {
      await key('L');
      await fill('#torrent-path', folder);
      await click(confirm);
    },
    remove: async () => {
      await click('#toolbar-delete');
      await click(confirm);
    },
    labels: async (text) => {
      await key('K');
      await fill('#torrent-labels', text);
      await click(confirm);
    },
    rename: async (text) => {
      await key('N');
      await fill('#torrent-rename-name', text);
      await click(confirm);
    },
    verify: () => key('V'),
    limit: async () => {
      await key('P');
      await run(() => {
        const check = document.querySelector('[data-key=speed_limit_down_enabled]');
        if (!check.checked) check.click();
        const input = document.querySelector('[data-key=speed_limit_down]');
        input.value = '4321';
        input.dispatchEvent(new Event('change', { bubbles: true }));
        document.querySelector('#prefs-dialog .tabs-container-close,.tabs-container-close').click();
      });
    },
    openFiles: async () => {
      await click('#toolbar-inspector');
      await click('#inspector-tab-files');
    },
    file: '.inspector-torrent-file-list-entry',
    fileName: '.inspector-torrent-file-list-entry-name',
    wanted: '.file-wanted-control',
    method: '"jsonrpc":"2.0","method":"torrent_get"',
  },
};
const client = clients[version];

// rows are the torrents on the page: their names, and the line about their progress.
const rows = () => run((c) => [...document.querySelectorAll(c.list)].map((row) => ({
  name: row.querySelector(c.name).textContent,
  details: row.querySelector(c.details).textContent,
})), { list: client.list, name: client.name, details: client.details });
const shown = (what, good) => until(what, async () => good(await rows())).catch(async (err) => {
  throw new Error(`${err.message}; the page shows ${JSON.stringify(await rows())}`);
});

try {
  await until('the page', () => there('#toolbar-open'));
  await until('settings and torrents', () => answers.filter((one) => one === rpc).length >= 3);
  assert.ok(requests.some((one) => one.includes(client.method)), requests.join());

  await client.addFile();
  await shown('the film', (all) => all.length === 1 && all[0].name === 'Film');
  await client.select(0);
  await client.openFiles();
  const files = await until('three files', () => run((c) => {
    const list = [...document.querySelectorAll(c.file)];
    return list.length >= 3 && list.map((one) => one.querySelector(c.fileName)?.textContent ?? '');
  }, { file: client.file, fileName: client.fileName }));
  assert.deepEqual(files.filter((name) => name.endsWith('.bin')).sort(),
    ['one.bin', 'three.bin', 'two.bin']);
  await run((c) => [...document.querySelectorAll(c.file)].find((one) =>
    one.querySelector(c.fileName)?.textContent === 'two.bin').querySelector(c.wanted).click(),
  { file: client.file, fileName: client.fileName, wanted: client.wanted });
  await until('the choice', () => requests.some((one) => /files[-_]unwanted/.test(one)));
  await click('#toolbar-inspector'); // which closes it
  await client.start();
  await shown('the film without a file', (all) => /^1\.\d+ MB|^1 MB/.test(all[0].details));
  if (client.labels) {
    await client.labels('films, new');
    await until('labels', () => requests.some((one) => one.includes('"films"')));
  }
  await client.move(`${content}/films`);

  await client.addLink();
  await shown('the song', (all) => all.length === 2 && all[1].name === 'Song.bin' &&
    /uploaded/.test(all[1].details));
  if (pictures) writeFileSync(`${pictures}/web-${version}.png`, await picture());
  await client.select(1);
  await client.stop();
  await until('the stop', () => requests.some((one) => /torrent[-_]stop/.test(one)));
  if (client.removeData) await client.removeData();
  else await client.remove();
  await shown('one torrent', (all) => all.length === 1 && all[0].name === 'Film');
  if (client.rename) {
    await client.select(0);
    await client.rename('Movie');
    await shown('the new name', (all) => all[0].name === 'Movie');
    await client.verify();
  }
  await client.limit();
  await until('the limit', () => requests.some((one) => one.includes('4321')));
  assert.deepEqual(faults, []);
  console.log(`the web client of ${version} did all of it`);
  await close();
  process.exit(0);
} catch (err) {
  console.log(err, JSON.stringify(faults), requests.slice(-8).join('\n').slice(0, 4000));
  if (pictures) writeFileSync(`${pictures}/web-${version}-failed.png`, await picture());
  await close();
  process.exit(1);
}
