// @ts-check
// The strings of the page in English, by key. Those with numbers in words have plurals.

/** @type {import("./i18n.js").Table} */
export const en = {
  // common
  "app.name": "swarmnode",
  "app.skip": "Skip to the torrents",
  "app.reconnecting": "Connection lost. Reconnecting …",
  "app.failed": "This part of the page cannot be loaded: {error}",
  "dialog.close": "Close",
  "dialog.cancel": "Cancel",
  "unit.d": "d",
  "unit.h": "h",
  "unit.min": "min",
  "unit.s": "s",

  // list
  "list.torrents": "Torrents",
  "list.details": "Details",
  "list.node": "Node",
  "list.more": "More",
  "list.add": "Add",
  "list.share": "Share files …",
  "list.theme-auto": "Colours of the system",
  "list.theme-light": "Light",
  "list.theme-dark": "Dark",
  "list.lang-auto": "Language of the browser",

  // login
  "login.title": "Log in",
  "login.text": "This node asks for a login.",
  "login.again": "The login has ended. Log in to go on.",
  "login.name": "Name",
  "login.password": "Password",
  "login.token": "To use a token, leave the name empty.",
  "login.submit": "Log in",
  "login.wrong": "The name or the password is wrong.",
  "login.locked": "Too many wrong passwords. Try again later.",
  "login.out": "Log out",

  // details

  // stuck

  // add

  // share

  // node
};
