// Short messages, read aloud by screen readers.

import { el, fill } from './dom.js';
import { sentence, t } from './text.js';

const place = el('div', { class: 'notices', role: 'status', 'aria-live': 'polite' });

/** The place of the messages. */
export const region = () => place;

/** Shows a message; it stays until the next message, the next page, or until it is closed. */
export function say(text, kind = 'good') {
  const close = el('button', { type: 'button', class: 'close', 'aria-label': t('close'), onclick: hush }, '×');
  fill(place, el('p', { class: `notice ${kind}` }, el('span', {}, text), close));
}

/** Removes the message. */
export function hush() {
  fill(place);
}

/** Shows why a call failed. */
export function complain(error) {
  if (!error.code) throw error;
  say(sentence(error), 'bad');
}

/** Runs an action, and shows why it fails. Returns whether it succeeded. */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
