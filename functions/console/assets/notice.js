// Short messages, read aloud by screen readers.

import { el, fill } from './dom.js';
import { sentence, t } from './text.js';

const place = el('div', { class: 'notices', role: 'status', 'aria-live': 'polite' });

/** Where messages appear. */
export const region = () => place;

/** Says something; it stays until the next message, the next page, or until it is closed. */
export function say(text, kind = 'good') {
  const close = el('button', { type: 'button', class: 'close', 'aria-label': t('close'), onclick: hush }, '×');
  fill(place, el('p', { class: `notice ${kind}` }, el('span', {}, text), close));
}

/** Takes the message away. */
export function hush() {
  fill(place);
}

/** Says why a call failed. */
export function complain(error) {
  if (!error.code) throw error;
  say(sentence(error), 'bad');
}

/** Does something, and says why it fails. Gives whether it did not. */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}
