import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLabels, parseSources, parseTiers } from "../../page/js/sources.js";

const HASH = "0123456789abcdef0123456789abcdef01234567";
const V2 = "ab".repeat(32);

test("magnets, URLs and hashes are read, one a line", () => {
  const { sources, bad } = parseSources(`
    magnet:?xt=urn:btih:${HASH.toUpperCase()}&dn=A+b%20c&tr=http%3A%2F%2Ft%2Fa&tr=udp://u:1
    https://example.org/x.torrent

    ${V2}`);
  assert.deepEqual(bad, []);
  assert.deepEqual(sources.map((s) => [s.hash, s.name]), [
    [HASH, "A b c"], ["", "https://example.org/x.torrent"], [V2.slice(0, 40), V2]]);
  assert.deepEqual(sources[0].trackers, ["http://t/a", "udp://u:1"]);
});

test("links on one line and in quotes are taken apart", () => {
  const other = HASH.replace("0", "f");
  const { sources, bad } = parseSources(
    `"magnet:?xt=urn:btih:${HASH}" <magnet:?xt=urn:btih:${other}> http://a/b`);
  assert.deepEqual([sources.length, bad], [3, []]);
});

test("the same torrent is taken once, in each way to write its hash", () => {
  const { sources } = parseSources(`magnet:?xt=urn:btih:${"A".repeat(32)}
    ${"0".repeat(40)}
    magnet:?dn=x&xt.1=urn:btmh:1220${V2}&xt.2=urn:btih:${"a".repeat(32)}`);
  assert.deepEqual(sources.map((s) => s.hash), ["0".repeat(40)]);
});

test("Base32 is what the standard says", () => {
  const { sources } = parseSources("aerukz4jvpg66ajdivtytk6n54asgrlh");
  assert.equal(sources[0].hash, HASH);
});

test("what is no source is given back", () => {
  const lines = ["hello", "magnet:?xt=urn:btih:123", "magnet:?dn=x", "ftp://a/b", "http://",
    "javascript:alert(1)", `${HASH}0`, "magnet:?xt=urn:btmh:1220ab"];
  const { sources, bad } = parseSources(lines.join("\n"));
  assert.deepEqual([sources, bad], [[], lines]);
});

test("a thousand lines are read at one time", () => {
  const { sources, bad } = parseSources(Array.from({ length: 1200 },
    (_, i) => i.toString(16).padStart(40, "0")).join("\n"));
  assert.deepEqual([sources.length, bad.length], [1000, 200]);
});

test("labels and tiers", () => {
  assert.deepEqual(parseLabels(" a, b c ,a,, "), ["a", "b c"]);
  assert.deepEqual(parseTiers("http://a\nudp://b\n\n \nhttp://c\n"),
    [["http://a", "udp://b"], ["http://c"]]);
  assert.deepEqual(parseTiers("\n"), []);
});
