// @ts-check
// Sharing: making a torrent of a path of the machine, and handing a torrent on.
import { address, api, Problem } from "./api.js";
import { toast } from "./dialog.js";
import { clear, h, icon, name, setText, show } from "./dom.js";
import { area, button, check, copy, field, formDialog, input, PathField, sentence, session } from "./forms.js";
import { bytes, percent } from "./format.js";
import { t } from "./i18n.js";
import { parseLabels, parseTiers } from "./sources.js";
import { store } from "./store.js";

const PIECES = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]; // KiB
const FORMATS = ["v1", "hybrid", "v2"];
const POLL = 500; // milliseconds

/**
 * Shows the link, the .torrent file and the QR code of a torrent; without one, makes a torrent.
 * @param {{id?: number}} [options]
 */
export async function openShare(options = {}) {
  await session();
  if (options.id) await openLink(options.id);
  else if (store.may("control")) new Making();
  else toast(t("add.mayNot"), { kind: "bad" });
}

/** @param {number} id */
async function openLink(id) {
  const body = h("div", { class: "fm-share" });
  formDialog({ title: t("share.title"), body, actions: [{ label: t("dialog.close"),
    kind: "primary", submit: true }] });
  await showLink(body, id);
}

/**
 * @param {HTMLElement} body
 * @param {number} id
 */
async function showLink(body, id) {
  let details;
  try {
    details = await api.get(`/torrents/${id}`);
  } catch (err) {
    body.append(h("p", { class: "fm-error", role: "alert", text: sentence(err) }));
    return;
  }
  const { torrent, magnet } = details;
  const link = input(magnet, { readOnly: true, on: { focus: () => link.select() } });
  const actions = h("div", { class: "fm-row" }, button(t("share.copy"), () => copy(magnet), "btn-primary"));
  if (navigator.share) {
    actions.append(button(t("share.send"), () => navigator.share({ title: torrent.name, url: magnet })
      .catch(() => {})));
  }
  actions.append(torrent["have-info"] ? h("a", { class: "btn", href: address(`/torrents/${id}/torrent`),
    download: `${torrent.name}.torrent` }, icon("down"), t("share.file")) :
    h("p", { class: "muted", text: t("share.noFile") }));
  clear(body);
  body.append(h("p", null, h("strong", null, name(torrent.name))),
    qr(id),
    field(t("share.link"), link).element, actions,
    h("p", { class: "fm-help", text: t(torrent.private ? "share.private" : "share.open") }));
}

/** The QR code of the link; a link that is too long has none. @param {number} id */
function qr(id) {
  const image = h("img", { class: "fm-qr", src: address(`/torrents/${id}/qr.svg`), alt: t("share.qr"),
    width: 220, height: 220, on: { error: () => image.remove() } });
  return image;
}

/** The dialog that makes a torrent. */
class Making {
  constructor() {
    this.path = new PathField(t("share.path"), { files: true, help: t("share.pathHelp") });
    this.title = field(t("share.name"), input("", { placeholder: t("share.asPath") }));
    this.trackers = field(t("share.trackers"), area("", { placeholder: t("share.noTrackers") }),
      { help: t("share.trackersHelp") });
    this.seeds = field(t("share.webseeds"), area(), { help: t("share.webseedsHelp") });
    this.comment = field(t("share.comment"), input());
    this.labels = field(t("add.labels"), input(), { help: t("add.labelsHelp") });
    this.private = check(t("share.isPrivate"), false, t("share.isPrivateHelp"));
    this.noDate = check(t("share.noDate"), false);
    this.piece = field(t("share.piece"), h("select", null, h("option", { value: "0",
      text: t("share.auto") }), PIECES.map((k) => h("option", { value: k * 1024, text: bytes(k * 1024) }))));
    this.format = h("fieldset", { class: "fm-choice" }, h("legend", { text: t("share.format") }),
      FORMATS.map((value) => h("label", null, h("input", { type: "radio", name: "format", value,
        checked: value === "hybrid" }), h("span", null, h("strong", { text: value }),
        ` ${t(`share.format.${value}`)}`))));
    this.others = h("div", { class: "fm-stack" });
    this.body = h("div", { class: "fm-stack" }, this.others, this.path.element, this.title.element,
      this.trackers.element, this.labels.element, h("details", null, h("summary", { text: t("add.more") }),
        h("div", { class: "fm-stack" }, this.format, this.piece.element, this.seeds.element,
          this.comment.element, this.private.element, this.noDate.element)));
    this.open = true;
    this.box = formDialog({ title: t("share.make"), body: this.body,
      actions: [{ label: t("dialog.cancel") }, { label: t("share.go"), kind: "primary", submit: true,
        run: () => this.submit() }],
      onClose: () => { this.open = false; } });
    this.path.input.focus();
    this.showOthers();
  }

  /** Shows what was made before and is remembered. */
  async showOthers() {
    const { creations } = await api.get("/creations").catch(() => ({ creations: [] }));
    for (const one of creations) {
      if (one.status !== "hashing") continue;
      const row = h("div", { class: "card fm-card" });
      this.others.append(row);
      this.follow(one, row);
    }
  }

  async submit() {
    const text = (/** @type {import("./forms.js").Field} */ f) => f.control.value.trim();
    const fields = { path: this.path.field, name: this.title, trackers: this.trackers,
      webseeds: this.seeds, comment: this.comment, labels: this.labels, "piece-length": this.piece };
    for (const one of Object.values(fields)) one.fail("");
    if (!this.path.value) {
      this.path.field.fail(t("share.noPath"));
      this.path.input.focus();
      return false;
    }
    try {
      const creation = await api.post("/creations", {
        path: this.path.value, name: text(this.title) || undefined,
        trackers: parseTiers(text(this.trackers)), webseeds: text(this.seeds).split(/\s+/).filter(Boolean),
        comment: text(this.comment) || undefined, labels: parseLabels(text(this.labels)),
        private: checked(this.private), "no-date": checked(this.noDate),
        "piece-length": Number(text(this.piece)) || undefined, seed: true,
        format: this.format.querySelector("input:checked")?.getAttribute("value"),
      });
      this.progress(creation); // which goes on by itself
    } catch (err) {
      const bad = err instanceof Problem ? fields[/** @type {"path"} */ (err.name)] : undefined;
      (bad ?? this.path.field).fail(sentence(err));
      (bad ?? this.path.field).control.focus();
    }
    return false;
  }

  /** Shows how far it has come in place of the form, which comes back if it fails. @param {any} creation */
  async progress(creation) {
    const place = h("div", { class: "fm-share" });
    const form = /** @type {HTMLElement[]} */ ([this.body, this.box.element.querySelector(".dialog-foot")]);
    this.body.after(place);
    for (const part of form) show(part, false);
    const error = await this.follow(creation, place, true);
    if (!error) return;
    place.remove();
    for (const part of form) show(part, true);
    this.path.field.fail(error);
    this.path.input.focus();
  }

  /**
   * @param {any} creation
   * @param {HTMLElement} place
   * @param {boolean} [link] shows the link in the end
   * @returns {Promise<string>} what went wrong
   */
  async follow(creation, place, link) {
    const bar = h("progress", { class: "fm-progress", max: 1, value: 0, "aria-label": t("share.hashing") });
    const text = h("p", { class: "muted" });
    const stop = button(t("dialog.cancel"), async () => {
      await api.del(`/creations/${creation.id}`);
      if (link) this.box.close();
    });
    place.append(h("p", null, h("strong", null, name(creation.name || creation.path))), bar, text,
      h("p", { class: "fm-help", text: t("share.goesOn") }), stop);
    while (this.open && creation.status === "hashing") {
      bar.value = creation.total ? creation.hashed / creation.total : 0;
      setText(text, t("share.hashed", { part: percent(creation.hashed, creation.total),
        size: bytes(creation.total) }));
      await new Promise((done) => { setTimeout(done, POLL); });
      const before = creation;
      creation = await api.get(`/creations/${before.id}`).catch((err) => ({ ...before,
        status: err instanceof Problem && err.status === 404 ? "cancelled" : before.status }));
    }
    clear(place);
    if (!this.open) return "";
    if (creation.status !== "done") {
      const error = creation.error || t("share.cancelled");
      if (!link) place.append(h("p", { class: "fm-error", role: "alert", text: error }));
      return error;
    }
    if (!link) place.remove();
    else await showLink(place, creation.torrent);
    if (creation.skipped) {
      place.append(h("p", { class: "fm-notice", text: t("share.skipped", { n: creation.skipped }) }));
    }
    return "";
  }
}

/** @param {{control: HTMLInputElement}} field */
function checked(field) {
  return field.control.checked;
}
