// Why a torrent is stuck, in German.

/** @typedef {Record<string, any>} Values */

/** Words for why peers are not connected. @type {Record<string, string>} */
const faults = { refused: "abgelehnt", "timed-out": "ohne Antwort", unreachable: "nicht erreichbar",
  "hung-up": "aufgelegt", "other-torrent": "ohne diesen Torrent", protocol: "mit anderem Protokoll",
  banned: "gesperrt", failed: "gescheitert", dialling: "in Anwahl", blocked: "auf der Sperrliste",
  "no-transport": "ohne TCP und uTP", inward: "nur von sich aus", untried: "noch nicht versucht" };

const wait = "Abwarten: Es geht von selbst weiter.";

/**
 * The sentence and the advice for a reason; null if there is none.
 * @param {string} reason @param {Values} v
 * @param {{bytes: (n: number) => string, rate: (n: number) => string, number: (n: number) => string}} f
 * @returns {string[] | null}
 */
export function de(reason, v, { bytes, rate, number }) {
  const why = v.why ? `: ${v.why}` : "";
  const trackers = v["trackers-failed"] ? `; Tracker ${v.tracker}${why}` : "";
  const dht = v.dht === "silent" ? "; kein DHT-Knoten antwortet" : v.dht === "answers" ?
    "; das DHT kennt keinen" : v.dht === "off" ? "; das DHT ist aus" : "";
  const list = Object.keys(faults).filter((k) => v[k]).map((k) => `${number(v[k])} ${faults[k]}`).join(", ");
  /** @type {Record<string, () => string[]>} */
  const all = {
    goal: () => ["Das Ziel ist erreicht, darum ruht er.", "Neu starten, um weiter zu verteilen."],
    queued: () => [v.ahead ? `Er wartet; vor ihm in der Warteschlange: ${number(v.ahead)}.` :
      "Er wartet, bis er an der Reihe ist.", "Abwarten, nach oben schieben oder sofort starten."],
    "checking-queued": () => ["Er wartet auf die Prüfung; andere werden zuerst geprüft.", wait],
    memory: () => ["Die Speichergrenze lässt keinen Platz für ihn.",
      "Die Grenze anheben oder andere Torrents anhalten."],
    limit: () => [`Eine Grenze hält den Empfang bei ${rate(v.rate)}.`, "Diese Grenze anheben."],
    moving: () => [`Der Inhalt wird in einen anderen Ordner kopiert: ${bytes(v.moved)} von ${bytes(v.total)}.`, wait],
    starting: () => ["Er ist eben erst gestartet.", "Einen Augenblick warten."],
    reserve: () => [`Auf der Platte soll mehr frei bleiben${why}.`,
      "Platz schaffen oder den freien Rest kleiner einstellen."],
    "disk-full": () => [`Die Platte ist voll${why}.`, "Platz schaffen oder den Inhalt verschieben."],
    "disk-error": () => [`Mit den Dateien stimmt etwas nicht${why}.`, "Die Ursache beheben; Ordner und Rechte prüfen."],
    error: () => [`Ein Fehler hält ihn auf${why}.`, "Die Ursache beheben und neu starten."],
    "cut-off": () => [`Es kann nichts gesendet werden${why}.`, "Netzwerk oder Proxy wiederherstellen."],
    nobody: () => [`Kein Peer ist bekannt${dht}${trackers}.`, "Abwarten, oder einen Tracker oder Peer hinzufügen."],
    "dht-silent": () => [`Kein Peer ist bekannt${dht}${trackers}.`,
      "Prüfen, ob diese Maschine verbunden ist und UDP hinauslässt."],
    "tracker-error": () => [`Kein Peer ist verbunden${dht}${trackers}.`,
      "Die Adresse des Trackers prüfen oder einen anderen hinzufügen."],
    unreachable: () => [`Keiner der bekannten Peers ist zu erreichen${list ? `: ${list}` : ""}.`, v.reach ?
      "Einen Port des Routers an diesen Knoten weiterleiten, damit andere sich verbinden können." :
      "Abwarten: Sie werden erneut versucht, und weitere werden gesucht."],
    "no-metadata": () => [`Verbundene Peers: ${number(v.peers)}; keiner liefert die Metadaten.`,
      "Auf andere warten, oder statt des Links die .torrent-Datei hinzufügen."],
    "nobody-has": () => [`Verbundene Peers: ${number(v.peers)}; keiner hat ${v.piece === undefined ?
      "den Rest" : `Stück ${number(v.piece)}`}. Es fehlen ${number(v.pieces)}.`,
    "Warten, bis jemand kommt, der es hat; sonst wird der Torrent nicht vollständig."],
    choked: () => [`Peers mit dem, was fehlt: ${number(v.useful)}; keiner hat einen Platz für uns frei.`,
      "Abwarten: Die Plätze wechseln nach Minuten."],
    silent: () => ["Verbunden, aber niemand sendet etwas.", wait],
  };
  return Object.hasOwn(all, reason) ? all[reason]() : null;
}
