// The tab of peers.
import { api } from "./api.js";
import { dialog } from "./dialog.js";
import { h, name, setText } from "./dom.js";
import { bytes, number, percent, rate } from "./format.js";
import { has, t } from "./i18n.js";
import { button, poll, sentence } from "./details-parts.js";
import { Table } from "./details-table.js";

/** Letters that have no column of their own, with a phrase each. */
const phrases = "DdUuK?OSI";

/** What a connection does, in words. @param {any} p */
const stateOf = (p) => [...p.flags].filter((f) => phrases.includes(f)).map((f) => t(`details.flag.${f}`))
  .join(", ");

/** A word of the interface in the language of the page. @param {string} group @param {string} word */
const word = (group, word) => (has(`details.${group}.${word}`) ? t(`details.${group}.${word}`) : word);

/** @param {any} p */
const encryption = (p) => (p.encrypted ? "full" : p.flags.includes("e") ? "handshake" : "none");

/** @type {import("./details-table.js").Column[]} */
const columns = [
  { key: "address", width: "minmax(150px, 1.5fr)", sort: (p) => p.address, cell: (p) => name(p.address) },
  { key: "client", width: "minmax(90px, 1fr)", sort: (p) => p.client ?? "", cell: (p) => name(p.client ?? "") },
  { key: "state", width: "minmax(120px, 1.6fr)", sort: (p) => p.flags, cell: stateOf },
  { key: "transport", width: "64px", sort: (p) => p.transport, cell: (p) => word("transport", p.transport) },
  { key: "encryption", width: "96px", sort: encryption, cell: (p) => t(`details.encryption.${encryption(p)}`) },
  { key: "source", width: "110px", sort: (p) => p.source, cell: (p) => word("source", p.source) },
  { key: "has", width: "64px", number: true, sort: (p) => p.progress, cell: (p) => percent(p.progress, 1) },
  { key: "down", width: "92px", number: true, sort: (p) => p["down-rate"],
    cell: (p) => (p["down-rate"] ? rate(p["down-rate"]) : "") },
  { key: "up", width: "92px", number: true, sort: (p) => p["up-rate"],
    cell: (p) => (p["up-rate"] ? rate(p["up-rate"]) : "") },
  { key: "got", width: "84px", number: true, sort: (p) => p.down, cell: (p) => bytes(p.down) },
  { key: "sent", width: "84px", number: true, sort: (p) => p.up, cell: (p) => bytes(p.up) },
];

/** @param {import("./details-parts.js").Open} open @returns {import("./details-parts.js").Tab} */
export function peers(open) {
  const table = new Table({ label: t("details.tab.peers"), columns, sort: "down", descending: true,
    key: (p) => p.address, empty: t("details.noPeers") });
  const sums = h("p", { class: "muted dt-grow", role: "status" });
  const element = h("div", { class: "dt-fill" },
    h("div", { class: "dt-line dt-tools" }, sums, open.may &&
      button("add", t("details.addPeer"), () => ask(open, poller.now), { words: true })),
    table.element);
  const poller = poll(async (signal) => {
    /** @type {any[]} */
    const list = (await api.get(`${open.path}/peers`, {}, { signal })).peers;
    table.set(list);
    const sum = (/** @type {string} */ k) => list.reduce((n, p) => n + p[k], 0);
    setText(sums, t("details.peerSums", { n: list.length, seeds: number(list.filter((p) => p.seed).length),
      down: rate(sum("down-rate")), up: rate(sum("up-rate")) }));
  }, 2000, open.failed);
  return { element, close: () => { poller.close(); table.close(); } };
}

/** Asks for the address of a peer. @param {import("./details-parts.js").Open} open
 * @param {() => void} done */
function ask(open, done) {
  const input = h("input", { type: "text", required: true, placeholder: "192.0.2.7:6881",
    autocomplete: "off", spellcheck: false });
  const problem = h("p", { class: "bad", role: "alert" });
  dialog({ title: t("details.addPeer"), class: "dialog-small",
    body: [h("label", { class: "field" }, h("span", null, t("details.address")), input), problem],
    actions: [{ label: t("dialog.cancel") }, { label: t("details.addPeer"), kind: "primary",
      submit: true, run: async () => {
        try {
          await api.post(`${open.path}/peers`, { address: input.value.trim() });
        } catch (err) {
          setText(problem, sentence(err));
          input.focus();
          return false;
        }
        done();
        return true;
      } }] });
  input.focus();
}
