// Downloads.

import { el } from './dom.js';

/** How long a file stays available after it was passed to the browser, in milliseconds. */
const HAND_OVER_MS = 60_000;

/** Lets the browser save a value as a JSON file. */
export function download(content, name) {
  const blob = new Blob([`${JSON.stringify(content, null, 2)}\n`], { type: 'application/json' });
  const href = URL.createObjectURL(blob);
  const plain = name.normalize('NFKD').replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60);
  el('a', { href, download: `${plain || 'bespoke'}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(href), HAND_OVER_MS);
}
