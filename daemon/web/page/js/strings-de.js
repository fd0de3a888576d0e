// @ts-check
// The strings of the page in German, by key.

/** @type {import("./i18n.js").Table} */
export const de = {
  // common
  "app.name": "swarmnode",
  "app.skip": "Zu den Torrents springen",
  "app.reconnecting": "Verbindung unterbrochen. Wird wiederhergestellt …",
  "app.failed": "Dieser Teil der Seite lässt sich nicht laden: {error}",
  "dialog.close": "Schließen",
  "dialog.cancel": "Abbrechen",
  "unit.d": "T",
  "unit.h": "Std.",
  "unit.min": "Min.",
  "unit.s": "s",

  // list
  "list.torrents": "Torrents",
  "list.details": "Einzelheiten",
  "list.node": "Knoten",
  "list.more": "Mehr",
  "list.add": "Hinzufügen",
  "list.share": "Dateien teilen …",
  "list.theme-auto": "Farben des Systems",
  "list.theme-light": "Hell",
  "list.theme-dark": "Dunkel",
  "list.lang-auto": "Sprache des Browsers",

  // login
  "login.title": "Anmelden",
  "login.text": "Dieser Knoten verlangt eine Anmeldung.",
  "login.again": "Die Anmeldung ist abgelaufen. Melden Sie sich an, um fortzufahren.",
  "login.name": "Name",
  "login.password": "Passwort",
  "login.token": "Für ein Token den Namen leer lassen.",
  "login.submit": "Anmelden",
  "login.wrong": "Name oder Passwort ist falsch.",
  "login.locked": "Zu viele falsche Passwörter. Versuchen Sie es später erneut.",
  "login.out": "Abmelden",

  // details

  // stuck

  // add

  // share

  // node
};
