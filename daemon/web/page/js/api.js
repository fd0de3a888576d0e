// @ts-check
// Requests to the interface of the node.

/** The address of the interface: beside the page, wherever a proxy puts that. */
export const base = new URL("api/v1", globalThis.location?.href.split(/[?#]/)[0] ?? "http://localhost/");

/** What went wrong with a request. */
export class Problem extends Error {
  /**
   * @param {number} status 0 if no answer came
   * @param {string} detail a sentence for users
   * @param {{name?: string, id?: number, hash?: string}} [more]
   */
  constructor(status, detail, more = {}) {
    super(detail);
    this.status = status;
    this.detail = detail;
    this.name = more.name ?? "";
    this.id = more.id ?? 0;
    this.hash = more.hash ?? "";
  }
}

/** @typedef {Record<string, string | number | boolean | undefined>} Query */
/**
 * @typedef {object} Options
 * @property {Query} [query]
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [login] false: a 401 is an error, and asks nobody to log in
 */

/** @type {() => Promise<void>} */
let login = () => Promise.reject(new Problem(401, "no login"));
/** @type {Promise<void> | null} */
let loggingIn = null;

/**
 * Says who asks the user to log in. The promise is kept once that has been done.
 * @param {() => Promise<void>} fn
 */
export function onLogin(fn) {
  login = fn;
}

/** Asks the user to log in, once for all requests that wait for it. @returns {Promise<void>} */
export function askLogin() {
  loggingIn ??= login().finally(() => (loggingIn = null));
  return loggingIn;
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @returns {string}
 */
export function address(path, query) {
  const url = new URL(base.href + path);
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  return url.href;
}

/** @param {Response} answer */
async function problemOf(answer) {
  try {
    const doc = await answer.json();
    if (typeof doc.detail === "string") return new Problem(answer.status, doc.detail, doc);
  } catch {
    // no JSON: a proxy, or a page of errors
  }
  return new Problem(answer.status, answer.status + " " + answer.statusText);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {BodyInit | undefined} body
 * @param {Options} options
 * @returns {Promise<any>}
 */
async function send(method, path, body, options) {
  const headers = { Accept: "application/json, application/problem+json", ...options.headers };
  for (;;) {
    let answer;
    try {
      answer = await fetch(address(path, options.query),
        { method, body, headers, signal: options.signal, cache: "no-store" });
    } catch (err) {
      if (options.signal?.aborted) throw err;
      throw new Problem(0, String(/** @type {Error} */ (err).message));
    }
    if (answer.status === 401 && options.login !== false) {
      await askLogin();
      continue;
    }
    if (!answer.ok) throw await problemOf(answer);
    if (answer.status === 204) return null;
    const type = answer.headers.get("Content-Type") ?? "";
    return type.includes("json") ? answer.json() : answer.text();
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} body
 * @param {Options} [options]
 */
function sendJSON(method, path, body, options = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = { ...options.headers };
  if (text !== undefined) headers["Content-Type"] = "application/json";
  return send(method, path, text, { ...options, headers });
}

export const api = {
  /** @param {string} path @param {Query} [query] @param {Options} [options] */
  get: (path, query, options) => send("GET", path, undefined, { ...options, query }),
  /** @param {string} path @param {any} [body] @param {Options} [options] */
  post: (path, body, options) => sendJSON("POST", path, body, options),
  /** @param {string} path @param {any} body @param {Options} [options] */
  patch: (path, body, options) => sendJSON("PATCH", path, body, options),
  /** @param {string} path @param {any} body @param {Options} [options] */
  put: (path, body, options) => sendJSON("PUT", path, body, options),
  /** @param {string} path @param {Query} [query] @param {Options} [options] */
  del: (path, query, options) => send("DELETE", path, undefined, { ...options, query }),
  /**
   * Sends a .torrent file, with an Add as options of the torrent.
   * @param {string} path
   * @param {Blob} file
   * @param {object} [add]
   * @param {Options} [options]
   */
  upload: (path, file, add, options = {}) => {
    const form = new FormData();
    form.append("options", new Blob([JSON.stringify(add ?? {})], { type: "application/json" }));
    form.append("torrent", file, "torrent");
    return send("POST", path, form, options);
  },
};
