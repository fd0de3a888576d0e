// @ts-check
// The login, over whatever the page shows.
import { Problem, api } from "./api.js";
import { h, setText, show } from "./dom.js";
import { t } from "./i18n.js";

/**
 * Asks the user to log in. The promise is kept once that has been done; there is no other way out.
 * @param {string | null} last the login that has ended; null if there was none
 * @returns {Promise<void>}
 */
export function logIn(last) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const user = h("input", { class: "input", id: "login-name", autocomplete: "username", autocapitalize: "none", spellcheck: false, value: last ?? "" });
    const password = h("input", { class: "input", id: "login-password", type: "password", autocomplete: "current-password" });
    const error = h("p", { class: "ls-login-error", role: "alert", hidden: true });
    const button = h("button", { class: "btn btn-primary", type: "submit", text: t("login.submit") });
    const form = h("form", {
      class: "ls-login",
      on: {
        submit: async (/** @type {Event} */ event) => {
          event.preventDefault();
          button.disabled = true;
          show(error, false);
          try {
            await api.post("/login", { name: user.value, password: password.value }, { login: false });
            element.close();
            element.remove();
            if (before instanceof HTMLElement && before.isConnected) before.focus();
            resolve();
          } catch (err) {
            setText(error, sentence(err));
            show(error, true);
            password.select();
            password.focus();
          } finally {
            button.disabled = false;
          }
        },
      },
    },
    h("h1", { id: "login-title", text: t("login.title") }),
    h("p", { class: "muted", text: t(last === null ? "login.text" : "login.again") }),
    h("label", { class: "field", for: "login-name" }, h("span", { text: t("login.name") }), user),
    h("label", { class: "field", for: "login-password" }, h("span", { text: t("login.password") }), password),
    h("p", { class: "muted small", text: t("login.token") }), error, button);
    const element = h("dialog", {
      class: "dialog dialog-small ls-login-dialog", "aria-labelledby": "login-title",
      on: { cancel: (/** @type {Event} */ event) => event.preventDefault(),
        close: () => { if (element.isConnected) element.showModal(); } },
    }, form);
    document.body.appendChild(element);
    element.showModal();
    (last ? password : user).focus();
  });
}

/** @param {unknown} err */
function sentence(err) {
  if (!(err instanceof Problem)) return String(err);
  if (err.status === 401) return t("login.wrong");
  if (err.status === 429) return t("login.locked");
  return err.detail;
}
