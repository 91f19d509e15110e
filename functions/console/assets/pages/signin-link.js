// Request for a mail with a sign-in link.

import { call } from '../api.js';
import { el, fill, heading, link } from '../dom.js';
import { field, form } from '../form.js';
import { t } from '../text.js';

/** The page. */
export function page() {
  const username = field({ label: t('username'), autocomplete: 'username', required: true, spellcheck: 'false' });
  const place = el('div', { class: 'card narrow' });
  const { node } = form({
    fields: { username },
    parts: username.node,
    submit: t('signinlink.send'),
    send: async () => {
      await call('POST', 'signinlink', { body: { username: username.input.value } });
      const done = el('p', { tabindex: '-1' }, t('signinlink.sent'));
      fill(place, done);
      done.focus();
    },
  });
  fill(place, node);
  return [heading(t('signinlink.title')), el('p', { class: 'lead' }, t('signinlink.lead')), place, el('p', {}, link('signin', t('back.signin')))];
}
