// Playing a file of a torrent while it comes.
import { dialog } from "./dialog.js";
import { clear, h, icon } from "./dom.js";
import { bytes, visible } from "./format.js";
import { t } from "./i18n.js";
import { button, copy, fileURL, sentence } from "./details-parts.js";

/** The types of what browsers may play, and the kind of element for it. */
const types = /** @type {Record<string, string>} */ ({
  mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", webm: "video/webm",
  mkv: "video/x-matroska", ogv: "video/ogg", avi: "video/x-msvideo", mpg: "video/mpeg",
  mp3: "audio/mpeg", m4a: "audio/mp4", aac: "audio/aac", flac: "audio/flac", ogg: "audio/ogg",
  oga: "audio/ogg", opus: "audio/ogg", wav: "audio/wav", wma: "audio/x-ms-wma",
  jpg: "image/jpeg", jpeg: "image/jpeg", png: "image/png", gif: "image/gif", webp: "image/webp",
  avif: "image/avif", bmp: "image/bmp",
});
const texts = /^(txt|nfo|md|log|srt|vtt|ass|cue|m3u|sfv|md5|json|csv|ini)$/;
const textMax = 256 << 10; // bytes of a text that are shown

/** @param {string} name */
const ending = (name) => /\.([a-z0-9]{1,5})$/i.exec(name)?.[1].toLowerCase() ?? "";

/** The kind of a file: video, audio, image or text; "" for others. @param {string} name */
export function kindOf(name) {
  const end = ending(name);
  return texts.test(end) ? "text" : Object.hasOwn(types, end) ? types[end].split("/")[0] : "";
}

/** Whether there is something to see or hear, here or in a player. @param {string} name */
export const canPlay = (name) => kindOf(name) !== "";

/** Whether this browser may show it itself. @param {string} kind @param {string} name */
function here(kind, name) {
  if (kind !== "video" && kind !== "audio") return kind !== "";
  return document.createElement(kind).canPlayType(types[ending(name)]) !== "";
}

/**
 * Shows a file in a dialog, or offers other ways to it.
 * @param {{hash: string, index: number, name: string, size: number}} file
 */
export function openPlayer(file) {
  const { hash, index, name, size } = file;
  const url = fileURL(hash, [String(index), name]);
  const list = fileURL(hash, ["list.m3u"], { index });
  const note = h("p", { class: "muted", role: "status" });
  const stage = h("div", { class: "dt-stage" });
  const stop = new AbortController();
  const kind = kindOf(name);
  const cannot = () => {
    clear(stage);
    note.textContent = t("details.cannotPlay");
  };
  const media = here(kind, name) ? show(kind, url, name, size, note, cannot, stop.signal) : null;
  if (media) stage.append(media);
  else cannot();
  dialog({ title: visible(name), class: "dt-player", body: [stage, note,
    h("div", { class: "dt-line" },
      h("a", { class: "btn", href: list, download: "" }, icon("start"), t("details.player")),
      button("copy", t("details.copyLink"), () => copy(ticket(list)), { words: true }),
      h("a", { class: "btn", href: fileURL(hash, [String(index), name], { download: 1 }),
        download: "" }, icon("down"), t("details.download"), ` (${bytes(size)})`))],
  onClose: () => {
    stop.abort();
    if (media instanceof HTMLMediaElement) { // lets the connection go
      media.pause();
      media.removeAttribute("src");
      media.load();
    }
  } });
  if (media instanceof HTMLMediaElement) media.focus();
}

/**
 * The link with a ticket that a player can open without a login: the first of a playlist.
 * @param {string} list
 */
async function ticket(list) {
  const answer = await fetch(list, { cache: "no-store" });
  const line = (await answer.text()).split(/\r?\n/).find((l) => l && !l.startsWith("#"));
  if (!answer.ok || !line) throw new Error(t("details.noLink"));
  return line;
}

/**
 * @param {string} kind @param {string} url @param {string} name @param {number} size
 * @param {HTMLElement} note @param {() => void} cannot @param {AbortSignal} signal
 */
function show(kind, url, name, size, note, cannot, signal) {
  const on = { error: () => { if (!signal.aborted) cannot(); } };
  if (kind === "image") return h("img", { src: url, alt: visible(name), on });
  if (kind === "text") return text(url, size, note, signal);
  const say = (/** @type {string} */ s) => () => { note.textContent = s; };
  const element = h(kind === "audio" ? "audio" : "video", { src: url, controls: true,
    autoplay: true, tabIndex: 0, "aria-label": visible(name), on: { ...on,
      waiting: say(t("details.waiting")), playing: say(""), canplay: say(""), seeked: say(""),
      ended: say("") } });
  note.textContent = t("details.waiting");
  return element;
}

/** @param {string} url @param {number} size @param {HTMLElement} note
 * @param {AbortSignal} signal */
function text(url, size, note, signal) {
  const pre = h("pre", { class: "dt-text", tabIndex: 0 });
  const read = async () => {
    /** @type {Record<string, string>} */
    const headers = size > textMax ? { Range: `bytes=0-${textMax - 1}` } : {};
    const answer = await fetch(url, { signal, headers });
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 200) || answer.statusText);
    pre.textContent = await answer.text();
    note.textContent = size > textMax ? t("details.textPart", { size: bytes(textMax) }) : "";
  };
  note.textContent = t("details.waiting");
  read().catch((err) => { if (!signal.aborted) note.textContent = sentence(err); });
  return pre;
}
