// The stories of people who use the page, over real daemons and with a real libtorrent as seed.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { addLink, dialogOf, drop, eventually, openTorrent, paste, row, same, shows } from './people.mjs';
import { cutter, Daemon, folder, picture, shut, stage, story, until, visit } from './stage.mjs';

after(shut);

story('from an empty node to a finished download of chosen files', async () => {
  const node = await Daemon.start();
  const page = await visit(node.url);
  await page.getByRole('button', { name: 'Share files' }).waitFor();
  await picture(page, 'empty');
  await paste(page, stage.filmLink);
  const dialog = dialogOf(page, 'Add torrents');
  await dialog.getByText('Film', { exact: true }).waitFor();
  await dialog.getByRole('button', { name: 'Look inside' }).click();
  const tree = dialog.getByRole('treegrid', { name: 'Files' });
  await tree.getByText('two.bin').waitFor();
  // Until it is added, the list says that it is not.
  await shows(page, 'Film', 'not added');
  await tree.getByRole('checkbox', { name: 'two.bin' }).click();
  assert.ok(await tree.getByRole('checkbox', { name: 'Film', exact: true }).evaluate((box) => box.indeterminate));
  await dialog.getByLabel('Labels').fill('films, new ones');
  await picture(page, 'look-inside');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await shows(page, 'Film', '100%');
  await row(page, 'Film').filter({ hasNotText: 'not added' }).waitFor();
  const film = await node.torrent('Film', (one) => one.status === 'seeding');
  assert.deepEqual(film.labels, ['films', 'new ones']);
  for (const name of ['one.bin', 'extras/three.bin', 'extras/four.bin', 'page.html', 'notes.txt']) {
    same(join(node.content, 'Film', name), join(stage.source, 'Film', name));
  }
  assert.ok(!existsSync(join(node.content, 'Film/two.bin')));

  // The same once more is said, and adds nothing.
  await paste(page, stage.filmLink);
  await dialog.getByText('This torrent is already here').waitFor();
  await page.keyboard.press('Escape');
  // A dropped file is looked into at once.
  await drop(page, stage.song);
  await dialog.getByText('Song.bin', { exact: true }).first().waitFor();
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await shows(page, 'Song.bin', '100%');
  same(join(node.content, 'Song.bin'), join(stage.source, 'Song.bin'));
  await drop(page, stage.song);
  await dialog.getByText('This torrent is already here').waitFor();
  await page.keyboard.press('Escape');
  // What is no link is said as well.
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Add', exact: true }).first().click();
  await dialog.getByLabel(/Magnet links/).fill('not a link');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await dialog.getByText('This line is not a magnet link').waitFor();
  await page.fine();
  await node.stop();
});

story('a video plays while it comes, and is sought in', async () => {
  const node = await Daemon.start();
  const page = await visit(node.url);
  await addLink(page, stage.clipLink);
  await node.torrent('Clip.webm', (one) => one['have-info']);
  await openTorrent(page, node, 'Clip.webm', 'files');
  await page.getByRole('treegrid', { name: 'Files' }).getByRole('button', { name: 'Play' }).click();
  const video = page.locator('video');
  await video.waitFor();
  const at = () => video.evaluate((v) => v.currentTime);
  await until('the first seconds', async () => await at() > 1);
  await picture(page, 'player');
  const duration = await video.evaluate((v) => v.duration);
  assert.ok(duration > 39 && duration < 41, `${duration}`);
  assert.notEqual((await node.torrent('Clip.webm')).status, 'seeding', 'the clip has come too soon to prove anything');
  await video.evaluate((v) => { v.currentTime = 30; });
  await until('playing after the seek', async () => await at() > 31);
  assert.deepEqual(await video.evaluate((v) => v.error), null);
  await page.keyboard.press('Escape');
  await video.waitFor({ state: 'detached' });
  await page.fine();
  await node.stop();
});

story('a page and a drawing of a torrent run no script', async () => {
  const node = await Daemon.start();
  await node.ask('POST', '/torrents', { source: stage.filmLink });
  const film = await node.torrent('Film', (one) => one.status === 'seeding');
  const { entries } = await node.ask('GET', `/torrents/${film.id}/files?flat=true&limit=100`);
  for (const name of ['page.html', 'drawing.svg']) {
    const file = entries.find((one) => one.name.endsWith(name) || one.path?.endsWith(name));
    const url = `${node.url}/files/${film.hash}/${file.index}/${name}`;
    const answer = await fetch(url);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('Content-Security-Policy') ?? '', /sandbox/);
    assert.equal(answer.headers.get('X-Content-Type-Options'), 'nosniff');
    await answer.arrayBuffer();
    // As a page of its own, if the browser shows it at all, and in a frame of a page.
    const page = await visit(node.url);
    const saved = page.waitForEvent('download', { timeout: 5000 }).then(() => true, () => false);
    await page.goto(url).catch((err) => { if (!/Download is starting|ERR_ABORTED/.test(err.message)) throw err; });
    if (page.url() === url) {
      assert.equal(await page.evaluate(() => window.ran), undefined);
      assert.notEqual(await page.title(), 'ran');
    } else assert.ok(await saved);
    await page.context().close();
  }
  await node.stop();
});

// listed starts a daemon with stopped torrents, which nobody seeds.
async function listed(names, options = () => ({})) {
  const node = await Daemon.start();
  for (const [i, name] of names.entries()) {
    const hash = (i + 1).toString(16).padStart(40, 'a');
    await node.ask('POST', '/torrents', { source: `magnet:?xt=urn:btih:${hash}&dn=${encodeURIComponent(name)}`,
      stopped: true, ...options(i) });
  }
  return node;
}

// names lists the torrents of the list in their order.
const names = (page) => page.getByRole('grid', { name: 'Torrents' }).locator('[role=row][aria-rowindex]')
  .evaluateAll((rows) => rows.map((one) => [Number(one.getAttribute('aria-rowindex')),
    one.querySelector('[role=gridcell] bdi')?.textContent]).filter(([, name]) => name)
    .sort(([a], [b]) => a - b).map(([, name]) => name));

story('lists are searched, filtered and sorted, and filters are kept', async () => {
  const node = await listed(['Gamma', 'alpha 10', 'alpha 9', 'Beta'], (i) => ({
    options: { labels: i % 2 ? ['films'] : ['music'] } }));
  const page = await visit(node.url);
  await row(page, 'Gamma').waitFor();
  const sort = page.getByRole('columnheader', { name: 'Name' });
  await sort.getByRole('button').click();
  await eventually('the order', () => names(page), ['alpha 9', 'alpha 10', 'Beta', 'Gamma']);
  await sort.getByRole('button').click();
  await eventually('the other order', () => names(page), ['Gamma', 'Beta', 'alpha 10', 'alpha 9']);
  await page.getByRole('searchbox').first().fill('ALPHA 1');
  await eventually('the search', () => names(page), ['alpha 10']);
  await page.getByRole('searchbox').first().fill('');
  await eventually('all', async () => (await names(page)).length, 4);
  await picture(page, 'list');
  // A filter of the side, beside the words, is kept under a name, also over a new visit.
  await page.getByRole('button', { name: /^films/ }).click();
  await eventually('films', () => names(page), ['Beta', 'alpha 10']);
  await page.getByRole('searchbox').first().fill('alpha');
  await eventually('both', () => names(page), ['alpha 10']);
  await page.getByRole('button', { name: 'Save this filter' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('Alpha films');
  await page.getByRole('dialog').getByRole('textbox').press('Enter');
  await page.getByRole('button', { name: /^All/ }).click();
  await eventually('all', async () => (await names(page)).length, 4);
  await page.reload();
  await page.getByRole('button', { name: /^Alpha films/ }).click();
  await eventually('what was kept', () => names(page), ['alpha 10']);
  await page.fine();
  await node.stop();
});

// statuses are those of all torrents, in the order of their names.
const statuses = async (node) => (await node.ask('GET', '/torrents')).torrents
  .sort((a, b) => a.name.localeCompare(b.name)).map((one) => one.status);

story('some of many torrents are stopped and started with the mouse', async () => {
  const node = await listed(['One', 'Three', 'Two'], () => ({ stopped: false }));
  const page = await visit(node.url);
  await row(page, 'One').getByText('One').click();
  await row(page, 'Two').getByText('Two').click({ modifiers: ['Control'] });
  const tools = page.getByRole('toolbar', { name: 'Actions' });
  await tools.getByRole('button', { name: 'Stop' }).click();
  await eventually('two are stopped', () => statuses(node), ['stopped', 'downloading', 'stopped']);
  for (const name of ['One', 'Two']) await shows(page, name, 'Stopped');
  await page.getByRole('button', { name: /^Stopped/ }).click();
  await eventually('the stopped ones', async () => (await names(page)).toSorted(), ['One', 'Two']);
  await page.getByRole('button', { name: /^All/ }).click();
  await row(page, 'Three').waitFor();
  await tools.getByRole('button', { name: 'Start' }).click();
  await eventually('all run', () => statuses(node), ['downloading', 'downloading', 'downloading']);
  await page.fine();
  await node.stop();
});

story('torrents are chosen, stopped and removed by keys alone', async () => {
  const node = await Daemon.start();
  for (const source of [stage.filmLink, stage.songLink]) await node.ask('POST', '/torrents', { source });
  for (const name of ['Film', 'Song.bin']) await node.torrent(name, (one) => one.status === 'seeding');
  const page = await visit(node.url);
  await shows(page, 'Film', '100%');
  const grid = page.getByRole('grid', { name: 'Torrents' });
  for (let i = 0; i < 60 && !await grid.evaluate((el) => el.contains(document.activeElement)); i++) {
    await page.keyboard.press('Tab');
  }
  assert.ok(await grid.evaluate((el) => el.contains(document.activeElement)), 'Tab never reaches the list');
  await page.keyboard.press('Control+a');
  await eventually('all are selected', () => grid.locator('[role=row][aria-selected=true]').count(), 2);
  for (const [key, status] of [['p', 'stopped'], ['s', 'seeding']]) {
    await page.keyboard.press(key);
    await eventually(`${status} by ${key}`, () => statuses(node), [status, status]);
  }
  await page.keyboard.press('Home');
  await eventually('one is selected', () => grid.locator('[role=row][aria-selected=true]').count(), 1);
  await page.keyboard.press('Shift+ArrowDown');
  await eventually('two are selected', () => grid.locator('[role=row][aria-selected=true]').count(), 2);
  await page.keyboard.press('Delete');
  const ask = page.getByRole('dialog');
  await ask.waitFor();
  await picture(page, 'remove');
  const box = ask.getByRole('checkbox');
  for (let i = 0; i < 10 && !await box.evaluate((el) => el === document.activeElement); i++) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Space');
  assert.ok(await box.isChecked());
  await page.keyboard.press('Enter');
  await eventually('an empty node', async () => (await node.ask('GET', '/torrents')).torrents.length, 0);
  await until('no content', () => !existsSync(join(node.content, 'Film/one.bin')) &&
    !existsSync(join(node.content, 'Song.bin')));
  await page.fine();
  await node.stop();
});

story('files get priorities and names, trackers are edited', async () => {
  const node = await Daemon.start();
  await node.ask('POST', '/torrents', { metainfo: readFileSync(stage.film).toString('base64'), stopped: true });
  const page = await visit(node.url);
  const id = await openTorrent(page, node, 'Film', 'files');
  const tree = page.getByRole('treegrid', { name: 'Files' });
  await tree.getByRole('row', { name: /two\.bin/ }).getByRole('checkbox').click();
  await until('a folder of which a part is wanted', () => tree.getByRole('checkbox', { name: /Film/ })
    .evaluate((box) => box.indeterminate));
  await tree.getByRole('row', { name: /one\.bin/ }).getByRole('combobox').selectOption({ label: 'High' });
  const priorities = async () => {
    const { entries } = await node.ask('GET', `/torrents/${id}/files?path=Film&limit=100`);
    return Object.fromEntries(entries.filter((one) => /(one|two)\.bin/.test(one.name))
      .map((one) => [one.name, one.priority]));
  };
  await until('the priorities', async () => {
    const { 'one.bin': one, 'two.bin': two } = await priorities();
    return two <= 0 && one > 4;
  }).catch(async (err) => { throw new Error(`${err.message}: ${JSON.stringify(await priorities())}`); });
  await picture(page, 'files');
  await tree.getByRole('row', { name: /one\.bin/ }).click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.keyboard.press('Control+a');
  await page.keyboard.type('first.bin');
  await page.keyboard.press('Enter');
  await tree.getByText('first.bin').waitFor();

  await page.getByRole('tab', { name: 'Trackers' }).click();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Trackers' });
  await dialog.getByRole('textbox').fill('not an address');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
  await dialog.getByRole('textbox').fill('http://11.0.0.9:1/announce\n\nhttp://11.0.0.9:2/announce');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await eventually('the trackers', async () => (await node.ask('GET', `/torrents/${id}/trackers`)).trackers
    .map((one) => [one.tier, one.url]), [[0, 'http://11.0.0.9:1/announce'], [1, 'http://11.0.0.9:2/announce']]);
  await page.fine();
  await node.stop();
});

story('limits, a schedule and settings are kept, and bad values are said', async () => {
  const node = await Daemon.start();
  const page = await visit(`${node.url}/#/node/limits`);
  const download = page.getByLabel('Download', { exact: true }).first();
  await download.fill('much');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('[aria-invalid=true]').first().waitFor();
  await download.fill('1.5M');
  await page.getByLabel('Times as text').fill('mon-fri 08:00-18:00');
  await page.getByRole('button', { name: 'Save' }).click();
  await eventually('the limits', async () => {
    const s = await node.ask('GET', '/settings');
    return [s.down, s['alt-schedule']];
  }, [1_572_864, 'mon-fri 08:00-18:00']);
  await picture(page, 'limits');
  await page.getByRole('link', { name: 'Settings' }).click();
  const folder = page.getByRole('combobox', { name: 'Content', exact: true });
  await folder.fill('relative/folder');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('[aria-invalid=true]').first().waitFor();
  assert.equal((await node.ask('GET', '/settings')).dir, node.content);
  await picture(page, 'settings');
  await page.getByRole('link', { name: 'Log' }).click();
  await page.getByRole('link', { name: 'Status' }).click();
  await page.getByText(/can reach this node/).first().waitFor();
  await picture(page, 'status');
  await page.fine();
  await node.stop();
});

story('a path is shared, and another node fetches it by the link', async () => {
  const node = await Daemon.start();
  mkdirSync(node.content, { recursive: true });
  const shared = join(node.content, 'Shared.bin');
  writeFileSync(shared, readFileSync(join(stage.source, 'Song.bin')));
  const page = await visit(node.url);
  await page.evaluate(() => { location.hash = '#/share'; });
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'File or folder' }).fill(shared);
  await dialog.getByRole('button', { name: 'Create and share' }).click();
  const link = dialog.getByLabel('Magnet link');
  await link.waitFor();
  const magnet = await link.inputValue();
  assert.match(magnet, /^magnet:\?xt=urn:bt/);
  await until('the QR code', () => dialog.getByRole('img', { name: /QR/ }).evaluate((img) => img.naturalWidth > 0));
  await picture(page, 'share');
  await node.torrent('Shared.bin', (one) => one.status === 'seeding');
  const other = await Daemon.start();
  const there = await visit(other.url);
  await addLink(there, `${magnet}&x.pe=${node.started.listen[0]}`);
  await shows(there, 'Shared.bin', '100%');
  same(join(other.content, 'Shared.bin'), shared);
  await page.fine();
  await there.fine();
  await node.stop();
  await other.stop();
});

// logIn fills in the form of the login.
async function logIn(page, user, password) {
  const dialog = page.getByRole('dialog', { name: 'Log in' });
  await dialog.getByLabel('Name').fill(user);
  await dialog.getByLabel('Password').fill(password);
  await dialog.getByRole('button', { name: 'Log in' }).click();
  return dialog;
}

story('people log in, again after the login has ended, and out', async () => {
  const dir = folder();
  const passwords = join(dir, 'passwords');
  const set = spawnSync(stage.program, ['password', '--config', 'none', '--password-file', passwords, 'ann'],
    { input: 'a good secret\n', encoding: 'utf8' });
  assert.equal(set.status, 0, set.stderr);
  const auth = 'ann:a good secret';
  const args = ['--password-file', passwords];
  let node = await Daemon.start({ dir, args, auth });
  await node.ask('POST', '/torrents', { source: stage.songLink });
  const page = await visit(node.url);
  await (await logIn(page, 'ann', 'a bad one')).getByText('The name or the password is wrong').waitFor();
  assert.equal(await row(page, 'Song.bin').count(), 0);
  await picture(page, 'login');
  await (await logIn(page, 'ann', 'a good secret')).waitFor({ state: 'detached' });
  await shows(page, 'Song.bin', '100%');
  const [cookie] = await page.context().cookies();
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict', JSON.stringify(cookie));
  assert.equal(await page.evaluate(() => document.cookie), '');

  // A new process knows no old login. The page says so, and goes on where it was.
  await openTorrent(page, node, 'Song.bin', 'files');
  await node.stop();
  node = await Daemon.start({ dir, args, auth, port: new URL(node.url).port });
  await page.getByText('The login has ended').waitFor();
  await (await logIn(page, 'ann', 'a good secret')).waitFor({ state: 'detached' });
  await page.getByRole('treegrid', { name: 'Files' }).getByText('Song.bin').waitFor();
  await shows(page, 'Song.bin', '100%');

  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.getByRole('dialog', { name: 'Log in' }).waitFor();
  assert.equal(await row(page, 'Song.bin').count(), 0);
  assert.equal((await page.request.get(`${node.url}/api/v1/torrents`)).status(), 401);
  await page.fine();
  await node.stop();
});

story('a feed that breaks comes back, in two tabs, after a restart', async () => {
  let node = await listed(['Before']);
  const cut = await cutter(node.url);
  const page = await visit(cut.url);
  await row(page, 'Before').waitFor();
  const second = await visit(cut.url, { context: page.context() });
  await row(second, 'Before').waitFor();

  cut.cut();
  await page.getByText('Connection lost').waitFor();
  await picture(page, 'lost');
  await node.ask('POST', '/torrents', { source: `magnet:?xt=urn:btih:${'b'.repeat(40)}&dn=Meanwhile`, stopped: true });
  cut.heal();
  for (const one of [page, second]) await row(one, 'Meanwhile').waitFor();
  await page.getByText('Connection lost').waitFor({ state: 'hidden' });

  await node.stop();
  await page.getByText('Connection lost').waitFor();
  node = await Daemon.start({ dir: node.dir });
  cut.target = node.url;
  const { id } = await node.torrent('Before');
  await node.ask('DELETE', `/torrents/${id}`);
  for (const one of [page, second]) {
    await row(one, 'Before').waitFor({ state: 'detached' });
    await row(one, 'Meanwhile').waitFor();
  }
  // What one tab does shows in the other.
  await addLink(second, `magnet:?xt=urn:btih:${'c'.repeat(40)}&dn=Later`);
  await row(page, 'Later').waitFor();
  cut.close();
  assert.deepEqual(second.faults, []);
  await page.fine();
  await node.stop();
});

story('a clock that jumps stops nothing', async () => {
  const node = await listed(['First']);
  const page = await visit();
  await page.addInitScript(() => {
    const Real = Date;
    window.ahead = 0;
    window.Date = class extends Real {
      constructor(...args) {
        if (args.length) super(...args);
        else super(Real.now() + window.ahead);
      }

      static now() { return Real.now() + window.ahead; }
    };
  });
  await page.goto(node.url);
  await row(page, 'First').waitFor();
  for (const [name, ahead] of [['Ahead', 40 * 86_400_000], ['Behind', -400 * 86_400_000]]) {
    await page.evaluate((ms) => { window.ahead = ms; }, ahead);
    await node.ask('POST', '/torrents', { stopped: true,
      source: `magnet:?xt=urn:btih:${name.length.toString(16).repeat(40)}&dn=${name}` });
    await row(page, name).waitFor();
    assert.doesNotMatch(await page.locator('body').innerText(), /NaN|Invalid Date|undefined/);
  }
  await page.fine();
  await node.stop();
});

story('the page speaks German', async () => {
  const node = await listed(['Beispiel']);
  const page = await visit(node.url, { options: { locale: 'de-DE' } });
  await page.getByRole('button', { name: 'Hinzufügen' }).first().waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'de');
  await page.evaluate(() => { location.hash = '#/node/status'; });
  await page.getByRole('link', { name: 'Einstellungen' }).waitFor();
  await picture(page, 'german');
  await page.fine();
  await node.stop();
});

story('a torrent that nobody has says why it is stuck', async () => {
  const node = await Daemon.start();
  await node.ask('POST', '/torrents', { source: `magnet:?xt=urn:btih:${'d'.repeat(40)}&dn=Lonely` });
  const page = await visit(node.url);
  const { stuck } = await node.torrent('Lonely', (one) => one.stuck && one.stuck !== 'starting');
  assert.ok(['nobody', 'dht-silent'].includes(stuck), stuck);
  await row(page, 'Lonely').getByText(/no peer|DHT/i).waitFor();
  const id = await openTorrent(page, node, 'Lonely', 'overview');
  const { stuck: why } = await node.ask('GET', `/torrents/${id}`);
  await page.getByRole('tabpanel').getByText(why.text).waitFor();
  await page.getByRole('tabpanel').getByText(why.advice).waitFor();
  await picture(page, 'stuck');
  await page.fine();
  await node.stop();
});

story('node add --http shows its one torrent', async () => {
  const run = new Daemon();
  run.dir = folder();
  await run.run(['add', '--json', '--config', 'none', '--state-dir', join(run.dir, 'state'), '--dir',
    join(run.dir, 'content'), '--bootstrap', 'none', '--listen', '11.0.2.1:0', '--no-lsd', '--no-portmap', '--http',
    '127.0.0.1:0', '--seed', stage.songLink]);
  const page = await visit(run.url);
  await shows(page, 'Song.bin', '100%');
  await page.fine();
  await run.stop('SIGINT');
});
