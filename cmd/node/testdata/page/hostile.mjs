// Names of strangers, in every place where the page shows one: nothing of them runs, turns its
// surroundings around, or breaks the layout.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after } from 'node:test';
import { addLink, dialogOf, drop, openTorrent } from './people.mjs';
import { Daemon, narrow, picture, shut, stage, story, until, visit } from './stage.mjs';

after(shut);

const markup = '<img src=x onerror=window.ran=1>';
const turned = '\u202eexe.gpj';
const labels = [markup, `<script>window.ran=1</script>`, `a${turned}`, 'L'.repeat(60)];

// angry is a tracker that refuses everybody in these words.
async function angry(text) {
  const server = createServer((_, answer) => {
    answer.end(Buffer.concat([Buffer.from(`d14:failure reason${Buffer.byteLength(text)}:`), Buffer.from(text),
      Buffer.from('e')]));
  });
  await new Promise((resolve) => { server.listen(0, '11.0.0.8', resolve); });
  return { url: `http://11.0.0.8:${server.address().port}/announce`, close: () => server.close() };
}

// unmoved asserts that nothing of a stranger ran or turned anything, and that all fits.
async function unmoved(page, what) {
  assert.equal(await page.evaluate(() => window.ran), undefined, what);
  assert.equal(await page.locator('img[src="x"], script:not([src])').count(), 0, what);
  await narrow(page, what);
  // Whatever turns the direction of text is shut in, or shown as something that can be seen.
  const open = await page.evaluate(() => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text; (text = walker.nextNode());) {
      if (!/[\u202a-\u202e\u2066-\u2069]/.test(text.data)) continue;
      const isolate = text.parentElement.closest('bdi, [dir=auto], textarea, input, pre');
      if (!isolate && !/isolate/.test(getComputedStyle(text.parentElement).unicodeBidi)) found.push(text.data);
    }
    return found;
  });
  assert.deepEqual(open, [], what);
  // Control characters are shown as something that can be seen.
  // eslint-disable-next-line no-control-regex
  const raw = (await page.locator('body').innerText()).match(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g);
  assert.deepEqual(raw, null, what);
}

for (const width of [320, 1280]) {
  story(`hostile names at ${width} pixels`, async () => {
    const tracker = await angry(`${markup}${turned}\u0007 ${'no '.repeat(60)}`);
    const node = await Daemon.start();
    const page = await visit(node.url, { options: { viewport: { width, height: 740 } } });
    await page.getByRole('button', { name: 'Share files' }).waitFor();
    await drop(page, stage.wild);
    const dialog = dialogOf(page, 'Add torrents');
    await dialog.getByRole('listitem').first().waitFor();
    await dialog.locator('summary').first().click().catch(() => {});
    await unmoved(page, 'adding');
    await picture(page, `hostile-add-${width}`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');

    const { id, name } = await node.ask('POST', '/torrents', {
      metainfo: readFileSync(stage.wild).toString('base64'), trackers: [tracker.url], options: { labels } });
    await node.ask('PUT', `/torrents/${id}/webseeds`, { urls: [`http://11.0.0.8:1/${encodeURIComponent(markup)}`] })
      .catch((err) => { if (!/400|422/.test(err.message)) throw err; });
    await node.ask('POST', '/torrents', { source: `magnet:?xt=urn:btih:${'f'.repeat(40)}&dn=` +
      encodeURIComponent(`${markup}${turned}`) });
    await until('the refusal', async () => (await node.ask('GET', `/torrents/${id}/trackers`)).trackers
      .some((one) => one.error || one.message));
    await page.getByRole('grid', { name: 'Torrents' }).getByRole('row').filter({ hasText: '<img' }).first().waitFor();
    await unmoved(page, 'the list');
    await picture(page, `hostile-list-${width}`);
    for (const tab of ['overview', 'files', 'peers', 'trackers', 'pieces']) {
      await openTorrent(page, node, name, tab);
      if (tab === 'files') await page.getByRole('treegrid').getByRole('row', { name: /folder/ }).first().waitFor();
      if (tab === 'trackers') await page.getByRole('tabpanel').getByText(/no no no/).first().waitFor();
      await unmoved(page, tab);
      await picture(page, `hostile-${tab}-${width}`);
    }
    // A peer that calls itself like that.
    await page.evaluate(() => { location.hash = '#/'; });
    await addLink(page, stage.clipLink);
    await openTorrent(page, node, 'Clip.webm', 'peers');
    await page.getByRole('tabpanel').getByText(/<img src=x/).first().waitFor();
    await unmoved(page, 'peers');
    await picture(page, `hostile-peer-${width}`);
    await page.evaluate(() => { location.hash = '#/node/log'; });
    await page.getByText(/added/).first().waitFor();
    await page.settled();
    await unmoved(page, 'the log');
    await picture(page, `hostile-log-${width}`);
    await page.fine();
    tracker.close();
    await node.stop();
  });
}
