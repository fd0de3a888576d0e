import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { changes, KINDS, LASTING, OWNERS, read, SECTIONS, show } from "../../page/js/settings-model.js";

const api = JSON.parse(readFileSync(new URL("../../../api/openapi.json", import.meta.url)));
const schema = api.components.schemas.Settings.properties;

test("each setting of the API has a field", () => {
  const others = ["groups", "notes"]; // groups have a table of their own, notes are of programs
  assert.deepEqual(Object.keys(KINDS).sort(),
    Object.keys(schema).filter((name) => !others.includes(name)).sort());
  const limits = ["down", "up", "alt", "alt-down", "alt-up", "alt-schedule"];
  assert.deepEqual(Object.values(SECTIONS).flat().concat(limits).sort(), Object.keys(KINDS).sort());
  assert.ok(OWNERS.every((name) => name in KINDS));
});

test("a single run refuses the settings that the page locks", () => {
  const daemon = readFileSync(new URL("../../../attach.go", import.meta.url), "utf8");
  const list = /var lasting = \[\]string\{([^}]*)\}/.exec(daemon)?.[1] ?? "";
  assert.deepEqual([...list.matchAll(/"([^"]+)"/g)].map((found) => found[1]), LASTING);
});

test("each field has the type of the API", () => {
  const types = { flag: "boolean", count: "integer", port: "integer", rate: "integer",
    size: "integer", ratio: "number", time: "number", lines: "array", command: "array",
    folder: "string", text: "string" };
  for (const [name, kind] of Object.entries(KINDS)) {
    assert.equal(schema[name].type, types[kind], name);
  }
});

test("what is shown is read as the same", () => {
  for (const [kind, values] of Object.entries({
    folder: ["", "/srv/a b"], lines: [[], ["a", "b c"]], command: [["/bin/x", "--a"], []],
    size: [0, 5368709120, 7], rate: [0, 1536, 1000000], time: [0, 1800, 259200],
    ratio: [0, 1.5, 2], count: [0, 800, 1048575], port: [0, 51413], text: ["mon 08:00-09:00"],
  })) {
    for (const lang of ["en", "de"]) {
      for (const value of values) {
        assert.deepEqual(read(kind, show(kind, value, lang), lang), { value }, kind);
      }
    }
  }
});

test("wrong values say of which kind they are", () => {
  for (const [kind, text] of [["rate", "fast"], ["size", "5 X"], ["time", "30"], ["ratio", "-1"],
    ["count", "1.5"], ["port", "65536"], ["port", "x"]]) {
    assert.deepEqual(read(kind, text, "en"), { wrong: kind }, text);
  }
});

test("only what changed is sent", () => {
  assert.deepEqual(changes({ a: [1], b: 2, c: "x" }, { a: [1], b: 3, c: "x" }), { b: 3 });
});
