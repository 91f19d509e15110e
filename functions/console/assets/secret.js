// A secret that is shown once, for copying.

import { button, el, link } from './dom.js';
import { say } from './notice.js';
import { t } from './text.js';

/** A text that can be copied. */
export function copied(label, text) {
  const copy = button(t('copy'), async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(t('copied', { what: label }));
    } catch {
      // Browsers allow it in secure contexts only. Otherwise the user copies it by hand.
      getSelection().selectAllChildren(shown);
    }
  });
  copy.setAttribute('aria-label', t('copy.what', { what: label }));
  const shown = el('code', { class: 'secret' }, text);
  return el('div', { class: 'copied' }, el('span', { class: 'label' }, label), shown, copy);
}

/** The two parts of an API key, and a command to try them. The secret is missing if the first response was lost. */
export function keyAndSecret(apikey) {
  if (!apikey.secret) {
    const title = el('h2', { tabindex: '-1' }, t('secret.title'));
    return el('div', { class: 'card' }, title, el('p', { class: 'notice bad' }, t('secret.lost')), link(`keys/one/${apikey.key}`, t('secret.goto')));
  }
  const whoami = new URL('../whoami/key', import.meta.url).href;
  return el(
    'div',
    { class: 'card shown-once' },
    el('h2', { tabindex: '-1' }, t('secret.title')),
    el('p', { class: 'notice' }, t('secret.once')),
    copied(t('secret.key'), apikey.key),
    copied(t('secret.secret'), apikey.secret),
    el('p', {}, t('secret.try')),
    copied(t('secret.command'), `curl -u ${apikey.key}:${apikey.secret} ${whoami}`),
  );
}
