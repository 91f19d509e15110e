// The console splits large exports before it imports them. No browser is needed.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const source = await readFile(new URL('../../functions/console/assets/parts.js', import.meta.url), 'utf8');
const { parts } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const MAX_BYTES = 3_000_000;
const exportOf = (sets) => JSON.stringify({ format: 'bespoke-account', version: 1, account: { bio: 'b' }, sets, apikeys: [{}], bookmarks: [{ title: 't' }] });

test('small export and other text stay unchanged', () => {
  for (const text of [exportOf([{ name: 'n' }]), 'x', '[]', `"${'x'.repeat(MAX_BYTES)}"`, `{${' '.repeat(MAX_BYTES)}`]) assert.deepEqual(parts(text), [text]);
});

test('large export is split into parts with each record once, in order', () => {
  for (const [count, notes] of [[780, 62_000], [6_000, 1_000], [2, MAX_BYTES]]) {
    const split = parts(exportOf(Array.from({ length: count }, (_, number) => ({ name: number, notes: 'é'.repeat(notes / 2) }))));
    const read = split.map((part) => JSON.parse(part));
    assert.ok(read.every(({ format, version }) => format === 'bespoke-account' && version === 1));
    assert.deepEqual(read.flatMap(({ sets }) => sets ?? []).map(({ name }) => name), Array.from({ length: count }, (_, number) => number));
    assert.deepEqual([read[0].account, read.at(-1).bookmarks], [{ bio: 'b' }, [{ title: 't' }]]);
    if (notes < MAX_BYTES) assert.ok(split.every((part) => new TextEncoder().encode(part).length <= MAX_BYTES));
  }
});

test('records with many values are split too', () => {
  const sets = Array.from({ length: 4 }, () => ({ values: Array(30_000).fill(0) }));
  assert.equal(parts(exportOf(sets)).filter((part) => JSON.parse(part).sets).length, 2);
});
