// Downloads and uploads.

import { el } from './dom.js';

/** How long a file stays available after it was passed to the browser, in milliseconds. */
const HAND_OVER_MS = 60_000;

/** The text of a file: in UTF-16 if it begins with that byte order mark, as files of Windows programs do, and otherwise in UTF-8. */
export async function textOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const mark = bytes.subarray(0, 2).join();
  const encoding = { '255,254': 'utf-16le', '254,255': 'utf-16be' }[mark] ?? 'utf-8';
  return new TextDecoder(encoding).decode(bytes);
}

/** Lets the browser save a value as a JSON file. */
export function download(content, name) {
  const blob = new Blob([`${JSON.stringify(content, null, 2)}\n`], { type: 'application/json' });
  const href = URL.createObjectURL(blob);
  const plain = name.normalize('NFKD').replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60);
  el('a', { href, download: `${plain || 'bespoke'}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(href), HAND_OVER_MS);
}
