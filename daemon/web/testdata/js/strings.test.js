// The tables of strings have the same entries in each language, and the page uses them all.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('../../page/js/', import.meta.url);
const tableOf = async (name) => {
  const all = await import(new URL(name, folder).href);
  return all.default ?? Object.values(all)[0];
};
const en = await tableOf('strings-en.js');
const de = await tableOf('strings-de.js');

// placeholders lists the {names} of an entry: a string, or an object of plural forms.
const placeholders = (entry) => [...new Set(
  (typeof entry === 'string' ? entry : entry.other).match(/\{[a-zA-Z]+\}/g) ?? [])].sort();

test('German has each entry of English, and no other', () => {
  assert.deepEqual(Object.keys(de).sort(), Object.keys(en).sort());
});

test('entries have the same placeholders in both', () => {
  for (const key of Object.keys(en)) {
    assert.deepEqual(placeholders(de[key]), placeholders(en[key]), key);
  }
});

test('entries are plural in both, or in neither', () => {
  for (const [key, entry] of Object.entries(en)) {
    assert.equal(typeof de[key], typeof entry, key);
    if (typeof entry === 'string') continue;
    for (const one of [entry, de[key]]) assert.deepEqual(Object.keys(one).sort(), ['one', 'other'], key);
  }
});

test('no entry is empty or has markup', () => {
  for (const table of [en, de]) {
    for (const [key, entry] of Object.entries(table)) {
      for (const text of typeof entry === 'string' ? [entry] : Object.values(entry)) {
        assert.match(text, /\S/, key);
        assert.doesNotMatch(text, /<[a-z/]/i, key);
      }
    }
  }
});

const sources = readdirSync(folder).filter((name) => name.endsWith('.js') && !name.startsWith('strings-'))
  .map((name) => ({ name, text: readFileSync(new URL(name, folder), 'utf8') }));

test('each entry that the page asks for is there', () => {
  for (const { name, text } of sources) {
    for (const [, , key] of text.matchAll(/(?<![\w.])t\(\s*(['"`])([\w.-]+)\1(?!\s*\+)/g)) {
      assert.ok(key in en, `${name} asks for ${key}`);
    }
  }
});

test('the page asks for each entry', () => {
  const whole = new Set();
  const heads = new Set();
  for (const { text } of sources) {
    for (const [, , key] of text.matchAll(/(['"`])([a-z][\w-]*(?:\.[\w-]+)+)\1/g)) whole.add(key);
    for (const [, key] of text.matchAll(/`([a-z][\w-]*\.[\w.-]*)\$\{/g)) heads.add(key);
    for (const [, , key] of text.matchAll(/(['"])([a-z][\w-]*\.[\w.-]*)\1\s*\+/g)) heads.add(key);
  }
  const idle = Object.keys(en).filter((key) => !whole.has(key) &&
    ![...heads].some((head) => key.startsWith(head)));
  assert.deepEqual(idle, []);
});
