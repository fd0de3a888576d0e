import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { en } from "../../page/js/strings-en.js";
import { de } from "../../page/js/stuck-de.js";

/** The constants of a Go file: `Name Type = "value"`. */
function words(file, type) {
  const text = readFileSync(new URL(`../../../stuck/${file}`, import.meta.url), "utf8");
  return [...text.matchAll(new RegExp(`\\b${type}\\s+= "([^"]+)"`, "g"))].map((m) => m[1]);
}

const format = { bytes: (n) => `${n} B`, rate: (n) => `${n} B/s`, number: (n) => `${n}` };
const values = { why: "Grund", peers: 2, useful: 1, pieces: 3, piece: 7, ahead: 4, rate: 100, moved: 1,
  total: 2, dht: "silent", refused: 2, "timed-out": 1 };

test("each reason of the node has a short form, and a sentence and an advice in German", () => {
  const reasons = words("doc.go", "Reason");
  assert.ok(reasons.length >= 20, reasons.join());
  for (const reason of reasons) {
    assert.ok(Object.hasOwn(en, `stuck.${reason}`), reason);
    for (const given of [values, {}]) {
      const said = de(reason, given, format);
      assert.equal(said?.length, 2, reason);
      for (const s of said) assert.match(s, /^[^ ].*[^.]\.$/s, reason);
      if (given === values) assert.doesNotMatch(said.join(), /undefined|NaN|null/, reason);
    }
  }
  for (const key of Object.keys(en)) {
    if (key.startsWith("stuck.")) assert.ok(reasons.includes(key.slice(6)), key);
  }
});

test("peers are counted by the reason, and an unknown one has no sentence", () => {
  assert.match(de("unreachable", values, format)[0], /: 2 abgelehnt, 1 ohne Antwort\.$/);
  assert.equal(de("", {}, format), null);
  assert.equal(de("toString", {}, format), null);
});

test("each word for a fault is known in German", () => {
  const text = readFileSync(new URL("../../../stuck/peers.go", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("var faultNames"));
  const faults = [...table.matchAll(/: "([a-z-]+)"/g)].map((m) => m[1]);
  assert.ok(faults.length >= 12, faults.join());
  for (const fault of faults) {
    assert.match(de("unreachable", { [fault]: 3 }, format)[0], /: 3 [^:]+\.$/, fault);
  }
});
