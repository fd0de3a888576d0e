// What people do on the page, by the names that they, and screen readers, read there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { until } from './stage.mjs';

// row is the row of a torrent in the list.
export const row = (page, name) => page.getByRole('grid', { name: 'Torrents' }).getByRole('row')
  .filter({ hasText: name });

// shows waits until the row of a torrent says something.
export async function shows(page, name, text) {
  await row(page, name).filter({ hasText: text }).first().waitFor();
}

// paste pastes a text, as with the clipboard, where the focus is.
export async function paste(page, text) {
  await page.evaluate((value) => {
    const data = new DataTransfer();
    data.setData('text/plain', value);
    (document.activeElement ?? document.body).dispatchEvent(new ClipboardEvent('paste',
      { clipboardData: data, bubbles: true, cancelable: true }));
  }, text);
}

// drop drops a file of this machine onto the page.
export async function drop(page, path) {
  const handle = await page.evaluateHandle(([name, base64]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name,
      { type: 'application/x-bittorrent' }));
    return data;
  }, [basename(path), readFileSync(path).toString('base64')]);
  for (const type of ['dragenter', 'dragover', 'drop']) {
    await page.dispatchEvent('body', type, { dataTransfer: handle });
  }
}

// dialogOf is an open dialog with this title.
export const dialogOf = (page, title) => page.getByRole('dialog', { name: title });

// addLink adds a torrent by the dialog, without a look inside.
export async function addLink(page, link) {
  await paste(page, link);
  const dialog = dialogOf(page, 'Add torrents');
  await dialog.getByRole('list', { name: 'To be added' }).getByRole('listitem').first().waitFor();
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

// same fails unless two files are equal.
export function same(path, other) {
  assert.ok(readFileSync(path).equals(readFileSync(other)), `${path} differs from ${other}`);
}

// openTorrent opens a tab of the details of a torrent.
export async function openTorrent(page, daemon, name, tab) {
  const { id } = await daemon.torrent(name);
  await page.evaluate((hash) => { location.hash = hash; }, `#/torrent/${id}/${tab}`);
  await page.getByRole('tabpanel').waitFor();
  return id;
}

// eventually is until, for a value that is compared.
export async function eventually(what, get, want) {
  let last;
  await until(what, async () => {
    last = await get();
    try {
      assert.deepEqual(last, want);
      return true;
    } catch {
      return false;
    }
  }).catch((err) => { throw new Error(`${err.message}: ${JSON.stringify(last)}`); });
}
