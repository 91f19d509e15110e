// Signing up.

import { call } from '../api.js';
import { el, fill, heading, link } from '../dom.js';
import { choice, field, form } from '../form.js';
import { LANGUAGES, language, t } from '../text.js';

/** The page. */
export function page() {
  const email = field({ label: t('email'), type: 'email', autocomplete: 'email', required: true });
  const speaks = choice({ label: t('signup.language'), options: Object.entries(LANGUAGES), value: language() });
  const place = el('div', { class: 'card narrow' });
  const { node } = form({
    fields: { email },
    places: { emailInvalid: 'email', emailMissing: 'email' },
    parts: [email.node, speaks.node],
    submit: t('signup.send'),
    send: async () => {
      const { data } = await call('POST', 'signup', { body: { email: email.input.value, language: speaks.input.value } });
      const done = el('p', { tabindex: '-1' }, t('signup.sent', { email: data.email }));
      fill(place, done);
      done.focus();
    },
  });
  fill(place, node);
  return [heading(t('signup.title')), el('p', { class: 'lead' }, t('signup.lead')), place, el('p', {}, link('signin', t('back.signin')))];
}
