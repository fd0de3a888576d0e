// A browser without a window, which is driven through the pipe of its debugging protocol.

import { spawn } from 'node:child_process';

// browse opens a page. home is a folder for the browser.
export async function browse(url, home) {
  const browser = spawn('chromium', ['--headless=new', '--no-sandbox', '--disable-gpu',
    '--disable-dev-shm-usage', '--no-first-run', '--window-size=1200,800',
    `--user-data-dir=${home}`, '--remote-debugging-pipe', 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  process.on('exit', () => browser.kill());
  const waiting = new Map();
  const faults = []; // exceptions that scripts of the page did not catch
  const requests = []; // bodies of what the page has asked for
  const answers = []; // the paths of what the page got
  let text = '';
  browser.stdio[4].on('data', (part) => {
    text += part;
    for (let end; (end = text.indexOf('\0')) >= 0;) {
      const message = JSON.parse(text.slice(0, end));
      text = text.slice(end + 1);
      if (message.id) {
        waiting.get(message.id)(message);
        waiting.delete(message.id);
      } else if (message.method === 'Runtime.exceptionThrown') {
        faults.push(message.params.exceptionDetails);
      } else if (message.method === 'Network.requestWillBeSent') {
        requests.push(message.params.request.postData ?? '');
      } else if (message.method === 'Network.responseReceived' &&
          message.params.response.status === 200) {
        answers.push(message.params.response.url);
      }
    }
  });
  let next = 0;
  const send = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
    const id = ++next;
    waiting.set(id, (m) => m.error ? reject(new Error(`${method}: ${m.error.message}`))
      : resolve(m.result));
    browser.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  });
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const page = (method, params) => send(method, params, sessionId);
  for (const domain of ['Runtime', 'Network', 'Page', 'DOM']) await page(`${domain}.enable`);
  await page('Page.navigate', { url });

  // run evaluates a function in the page, with arguments that JSON can write.
  const run = async (f, ...args) => {
    const answer = await page('Runtime.evaluate', {
      expression: `(${f})(${args.map((one) => JSON.stringify(one)).join(', ')})`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (answer.exceptionDetails) throw new Error(JSON.stringify(answer.exceptionDetails));
    return answer.result.value;
  };
  // choose puts a file of this machine into an input of the page.
  const choose = async (selector, path) => {
    const { result } = await page('Runtime.evaluate',
      { expression: `document.querySelector(${JSON.stringify(selector)})` });
    if (!result.objectId) throw new Error(`there is no ${selector}`);
    await page('DOM.setFileInputFiles', { objectId: result.objectId, files: [path] });
  };
  const picture = async () => Buffer.from((await page('Page.captureScreenshot')).data, 'base64');
  // close ends the browser, which writes to its folder until then.
  const close = () => new Promise((resolve) => {
    browser.once('exit', resolve);
    send('Browser.close').catch(() => browser.kill());
    setTimeout(() => browser.kill('SIGKILL'), 10_000).unref();
  });
  return { run, choose, picture, close, faults, requests, answers };
}
