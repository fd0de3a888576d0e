// How the page looks: each view at each size, in both schemes. axe finds no violation, nothing is
// wider than the window, and nothing that can be used is cut off or covered.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Daemon, narrow, picture, shut, stage, story, visit } from './stage.mjs';

const require = createRequire(join(process.env.SWARM_FRONTS, 'node_modules', 'x.js'));
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const sizes = [[320, 640], [360, 740], [768, 1024], [1440, 900], [3840, 2160]];
let node;
let ids;

before(async () => {
  node = await Daemon.start();
  for (const metainfo of [stage.film, stage.song, stage.wild]) {
    await node.ask('POST', '/torrents', { metainfo: readFileSync(metainfo).toString('base64'),
      options: { labels: ['films', 'to keep'] } });
  }
  await node.ask('POST', '/torrents', { source: stage.clipLink });
  await node.ask('POST', '/torrents', { source: `magnet:?xt=urn:btih:${'d'.repeat(40)}&dn=Lonely` });
  for (let i = 0; i < 60; i++) {
    await node.ask('POST', '/torrents', { stopped: true,
      source: `magnet:?xt=urn:btih:${i.toString(16).padStart(40, 'e')}&dn=Torrent number ${i} of many` });
  }
  await node.torrent('Film', (one) => one.status === 'seeding');
  ids = { film: (await node.torrent('Film')).id, clip: (await node.torrent('Clip.webm')).id,
    lonely: (await node.torrent('Lonely')).id };
});
after(async () => {
  await shut();
  await node?.stop();
});

// The views, by the ends of their addresses.
const views = () => [
  { name: 'list', path: '/' },
  ...['overview', 'files', 'peers', 'trackers', 'pieces'].map((tab) => ({ name: tab, path: `/torrent/${ids.film}/${tab}` })),
  { name: 'stuck', path: `/torrent/${ids.lonely}/overview` },
  { name: 'coming', path: `/torrent/${ids.clip}/pieces` },
  ...['status', 'limits', 'settings', 'log'].map((tab) => ({ name: `node-${tab}`, path: `/node/${tab}` })),
  { name: 'add', path: '/add?magnet=' + encodeURIComponent(stage.songLink) },
  { name: 'share', path: '/share' },
];

for (const scheme of ['light', 'dark']) {
  story(`each view in the ${scheme} scheme`, async () => {
    const wrong = [];
    // Widths do not depend on colours.
    for (const [width, height] of scheme === 'dark' && !stage.pictures ? sizes.slice(1, 4) : sizes) {
      const page = await visit(node.url, { options: { viewport: { width, height }, colorScheme: scheme,
        hasTouch: width < 700, isMobile: width < 700 } });
      for (const { name, path } of views()) {
        await page.evaluate((hash) => {
          for (const one of document.querySelectorAll('dialog[open]')) one.close();
          location.hash = hash;
        }, `#${path}`);
        await page.settled();
        const what = `${name} at ${width} in ${scheme}`;
        await picture(page, `${name}-${width}-${scheme}`);
        await narrow(page, what).catch((err) => wrong.push(err.message));
        // What axe looks at changes with the layout, not with each width.
        if (width === 360 || width === 1440) wrong.push(...await violations(page, what));
      }
      if (page.faults.length) wrong.push(`${width}: ${page.faults.join('\n')}`);
      await page.context().close();
    }
    assert.ok(wrong.length === 0, `\n${[...new Set(wrong)].join('\n')}`);
  });
}

// violations are what axe finds.
async function violations(page, what) {
  // The policy of the page lets no script in but through the debugger.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ['violations'],
    runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
    rules: { 'target-size': { enabled: true } } }))
    .violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) =>
      `${node.html.slice(0, 160)} ${node.any.concat(node.all, node.none).map((c) => c.message).join('; ').slice(0, 200)}`).join(' | ')}`));
  return found.map((one) => `${what}: axe: ${one}`);
}
