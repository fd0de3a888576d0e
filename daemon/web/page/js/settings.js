// @ts-check
// The settings of the node, as a form that sends only what changed.
import { api, Problem } from "./api.js";
import { toast } from "./dialog.js";
import { h, setText, show } from "./dom.js";
import { area, attempt, button, card, field, input, PathField, sentence } from "./forms.js";
import { has, lang, t } from "./i18n.js";
import { changes, KINDS, LASTING, OWNERS, read, SECTIONS, show as write } from "./settings-model.js";
import { store } from "./store.js";

/** @typedef {import("./settings-model.js").Settings} Settings */
/** @typedef {import("./forms.js").Field} Field */

/** @param {HTMLElement} panel @returns {() => void} */
export function mount(panel) {
  const form = new SettingsForm();
  const section = (/** @type {string} */ title) => {
    const help = `node.section.${title}.help`;
    const owners = title === "commands" && !store.session?.owner;
    return card(t(`node.section.${title}`), has(help) && h("p", { class: "fm-help", text: t(help) }),
      owners && h("p", { class: "fm-help", text: t("node.owner") }), ...SECTIONS[title].map((one) => form.row(one)));
  };
  panel.append(form.notice, h("div", { class: "fm-cards" }, [["folders"], ["queue", "goals"],
    ["network", "commands"]].map((column) => h("div", { class: "fm-stack" }, column.map(section)))), form.bar);
  form.load();
  return () => form.close();
}

/** Settings as fields, of which the caller places those that it shows. */
export class SettingsForm {
  constructor() {
    /** @type {Map<string, Field>} */
    this.fields = new Map();
    /** What the node has. @type {Settings} */
    this.now = {};
    /** Called after the fields have new values. */
    this.onFill = () => {};
    this.admin = store.may("admin");
    this.notice = h("p", { class: "fm-notice", text: this.admin ? "" : t("node.admin"), hidden: this.admin });
    this.said = h("span", { role: "status" });
    this.save = h("button", { class: "btn btn-primary", type: "button", text: t("node.save"), on: {
      click: () => this.submit() } });
    this.bar = h("div", { class: "fm-bar", hidden: true }, this.said,
      button(t("node.revert"), () => this.fill(this.now)), this.save);
    this.off = store.on("settings", () => this.load());
  }

  close() { this.off(); }

  /** @param {string} setting @returns {HTMLElement} */
  row(setting) { return this.field(setting).element; }

  /** @param {string} setting */
  control(setting) { return this.field(setting).control; }

  /** @param {string} setting @returns {Field} */
  field(setting) {
    const old = this.fields.get(setting);
    if (old) return old;
    const kind = KINDS[setting];
    const owners = OWNERS.includes(setting) && !store.session?.owner;
    const pinned = store.session?.pinned?.includes(setting);
    const single = store.session?.single && LASTING.includes(setting);
    const key = `node.set.${setting}`;
    const help = single ? t("node.single") : [has(`${key}.help`) && t(`${key}.help`), has(`node.kind.${kind}`) && t(`node.kind.${kind}`),
      pinned && t("node.pinned"), owners && kind !== "command" && t("node.owner")].filter(Boolean).join(" ");
    /** @type {Field} */
    let made;
    if (kind === "folder") made = new PathField(t(key), { help, space: true }).field;
    else {
      const control = kind === "flag" ? h("input", { type: "checkbox" }) :
        kind === "lines" || kind === "command" ? area() :
          input("", { inputMode: kind === "count" || kind === "port" ? "numeric" : "text",
            placeholder: [setting, kind].map((one) => `node.empty.${one}`).filter(has).map((one) => t(one))[0] ?? "" });
      made = field(t(key), control, { help });
    }
    made.control.disabled = !this.admin || owners || Boolean(single);
    for (const type of ["input", "change"]) made.control.addEventListener(type, () => this.changed(setting));
    this.fields.set(setting, made);
    return made;
  }

  /** Takes the values of the node, but leaves fields that the user changed. */
  async load() {
    await attempt(async () => {
      const settings = await api.get("/settings");
      const { dirty } = this.values();
      this.fill(settings, Object.keys(this.now).length ? dirty : {});
    });
  }

  /**
   * @param {Settings} settings
   * @param {Settings} [but] fields that stay as they are
   */
  fill(settings, but = {}) {
    this.now = settings;
    for (const [setting, { control }] of this.fields) {
      if (setting in but) continue;
      if (control instanceof HTMLInputElement && control.type === "checkbox") {
        control.checked = settings[setting];
      } else control.value = write(KINDS[setting], settings[setting], lang());
      if (KINDS[setting] === "folder") control.dispatchEvent(new Event("change"));
      if (control instanceof HTMLTextAreaElement) {
        control.rows = Math.min(8, Math.max(2, control.value.split("\n").length));
      }
      this.fields.get(setting)?.fail("");
    }
    this.onFill();
    this.changed();
  }

  /** @returns {{dirty: Settings, wrong: Record<string, string>}} What the user changed. */
  values() {
    /** @type {Settings} */
    const after = {};
    /** @type {Record<string, string>} */
    const wrong = {};
    for (const [setting, { control }] of this.fields) {
      if (control instanceof HTMLInputElement && control.type === "checkbox") {
        after[setting] = control.checked;
        continue;
      }
      const found = read(KINDS[setting], control.value, lang());
      if ("value" in found) after[setting] = found.value;
      else wrong[setting] = t(`node.wrong.${found.wrong}`);
    }
    return { dirty: { ...changes(this.now, after), ...wrong }, wrong };
  }

  /** Says how many fields have changed. @param {string} [setting] one of them */
  changed(setting) {
    const { dirty, wrong } = this.values();
    const n = this.admin ? Object.keys(dirty).length : 0;
    show(this.bar, n > 0);
    setText(this.said, t("node.changes", { n }));
    if (setting && !wrong[setting]) this.fields.get(setting)?.fail("");
  }

  async submit() {
    const { dirty, wrong } = this.values();
    for (const [setting, text] of Object.entries(wrong)) this.fail(setting, text);
    if (Object.keys(wrong).length) return;
    this.save.disabled = true;
    try {
      this.fill(await api.patch("/settings", dirty));
      toast(t("node.saved"), { kind: "good" });
    } catch (err) {
      const setting = err instanceof Problem ? err.name : "";
      if (this.fields.has(setting)) this.fail(setting, sentence(err));
      else toast(sentence(err), { kind: "bad" });
    }
    this.save.disabled = false;
  }

  /** @param {string} setting @param {string} text */
  fail(setting, text) {
    const field = this.fields.get(setting);
    field?.fail(text);
    field?.control.focus();
  }
}
