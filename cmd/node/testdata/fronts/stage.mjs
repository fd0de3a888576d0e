// What the scripts of front ends share: the stage that the test hands over, and a wait.

import { join } from 'node:path';

export const [rpc, film, magnet, content, ...rest] = process.argv.slice(2);

// module returns the path of a file of an npm package.
export const module = (path) => join(process.env.SWARM_FRONTS, 'node_modules', path);

const waitMax = 60_000;
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
