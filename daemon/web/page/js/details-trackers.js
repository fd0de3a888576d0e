// The tab of trackers and web seeds.
import { api } from "./api.js";
import { dialog } from "./dialog.js";
import { clear, h, name, setText } from "./dom.js";
import { bytes, duration, rate, when } from "./format.js";
import { t } from "./i18n.js";
import { button, did, poll, sentence } from "./details-parts.js";

const kinds = /** @type {Record<string, string>} */ ({ working: "good", failing: "bad", refused: "bad",
  active: "good", failed: "bad", waiting: "warn" });

/** How long it takes until a moment, as the clock of this machine sees it. @param {string} iso */
function until(iso) {
  const s = (Date.parse(iso) - Date.now()) / 1000;
  return s > 0 ? t("details.inTime", { time: duration(s) }) : t("details.soon");
}

/** @param {import("./details-parts.js").Open} open @returns {import("./details-parts.js").Tab} */
export function trackers(open) {
  /** @type {any[]} */
  let list = [];
  /** @type {any[]} */
  let seeds = [];
  const trackerList = h("div"), seedList = h("div");
  const none = () => h("p", { class: "muted", text: t("details.none") });
  const draw = () => {
    clear(trackerList);
    clear(seedList);
    let tier = -1;
    /** @type {HTMLElement | undefined} */
    let group;
    for (const one of list) {
      if (one.tier !== tier || !group) {
        tier = one.tier;
        group = h("ul", { class: "dt-list" });
        trackerList.append(h("h4", { class: "muted", text: t("details.tier", { n: tier + 1 }) }), group);
      }
      group.append(entry(one.url, one.status, trackerFacts(one), one.error || one.message));
    }
    if (!list.length) trackerList.append(none());
    seedList.append(seeds.length ? h("ul", { class: "dt-list" }, seeds.map((one) => entry(one.url, one.status,
      [t("details.received", { size: bytes(one.down) }), one.rate && rate(one.rate),
        one.retry && t("details.again", { when: until(one.retry) })], one.error))) : none());
  };
  const may = (/** @type {HTMLElement} */ b) => open.may && b;
  const edit = (/** @type {boolean} */ ofTrackers) => () => editor(open, ofTrackers,
    ofTrackers ? list : seeds, () => poller.now());
  const element = h("div", { class: "dt-body" },
    h("div", { class: "dt-line dt-wrap" }, h("h3", { class: "dt-grow", text: t("details.tab.trackers") }),
      may(button("refresh", t("details.announce"), () => {
        did(api.post(`${open.path}/reannounce`), t("details.announced")).then(() => poller.now());
      }, { words: true })), may(button("edit", t("details.edit"), edit(true), { words: true }))),
    trackerList,
    h("div", { class: "dt-line dt-wrap" }, h("h3", { class: "dt-grow", text: t("details.webSeeds") }),
      may(button("edit", t("details.editSeeds"), edit(false)))),
    seedList);
  const poller = poll(async (signal) => {
    const [a, b] = await Promise.all(["trackers", "webseeds"].map((what) =>
      api.get(`${open.path}/${what}`, {}, { signal })));
    list = a.trackers;
    seeds = b.webseeds;
    draw();
  }, 2000, open.failed);
  const clock = setInterval(() => { if (!document.hidden && list.length) draw(); }, 1000);
  return { element, close: () => { poller.close(); clearInterval(clock); } };
}

/** What a tracker said, and when it is asked again. @param {any} one */
function trackerFacts(one) {
  const count = (/** @type {string} */ k) => (one[k] === undefined ? null :
    t(`details.${k}`, { n: one[k] }));
  return [count("seeds"), count("leeches"), count("downloaded"), one.peers > 0 && t("details.named", { n: one.peers }),
    one["last-announce"] && t("details.lastAnnounce", { when: when(one["last-announce"]) }),
    one["next-announce"] && t("details.nextAnnounce", { when: until(one["next-announce"]) })];
}

/** @param {string} url @param {string} status @param {any[]} facts @param {string} [said] */
function entry(url, status, facts, said) {
  const kind = kinds[status] ?? "";
  return h("li", { class: "dt-entry" },
    h("div", { class: "dt-line" }, h("span", { class: "dt-grow dt-url" }, name(url)),
      h("span", { class: `chip ${kind}`, text: t(`details.status.${status}`) })),
    h("p", { class: "muted small" }, facts.filter(Boolean).join(" · ")),
    said ? h("p", { class: `small ${kind}` }, name(said)) : null);
}

/**
 * Edits trackers, or web seeds: an address a line, and between tiers of trackers an empty one.
 * @param {import("./details-parts.js").Open} open @param {boolean} ofTrackers @param {any[]} list
 * @param {() => void} done
 */
function editor(open, ofTrackers, list, done) {
  const text = list.map((one, i) => (i && one.tier !== list[i - 1].tier ? "\n" : "") + one.url).join("\n");
  const area = h("textarea", { value: text, rows: 10, spellcheck: false, class: "mono", wrap: "off" });
  const problem = h("p", { class: "bad", role: "alert" });
  const send = async (/** @type {any} */ body) => {
    try {
      await api.put(`${open.path}/${ofTrackers ? "trackers" : "webseeds"}`, body);
    } catch (err) {
      setText(problem, sentence(err));
      return false;
    }
    done();
    return true;
  };
  const lines = (/** @type {string} */ s) => s.split("\n").map((l) => l.trim()).filter(Boolean);
  dialog({ title: t(ofTrackers ? "details.tab.trackers" : "details.webSeeds"),
    body: [h("label", { class: "field" }, h("span", null, t(ofTrackers ? "details.tiersAbout" :
      "details.seedsAbout")), area), problem],
    actions: [{ label: t("details.asTorrent"), run: () => send({}) }, { label: t("dialog.cancel") },
      { label: t("details.save"), kind: "primary", submit: true, run: () => send(ofTrackers ?
        { tiers: area.value.split(/\n[ \t]*\n/).map(lines).filter((l) => l.length) } :
        { urls: lines(area.value) }) }] });
  area.focus();
}
