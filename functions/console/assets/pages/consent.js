// Consent, for accounts that lack it at the sign-in.

import { mine } from '../api.js';
import { el, heading } from '../dom.js';
import { form } from '../form.js';
import { enter } from '../router.js';
import * as session from '../session.js';
import { t } from '../text.js';
import { consents } from './confirm-signup.js';

/** The page. */
export function page() {
  const consent = consents('2');
  const { node } = form({
    parts: consent.node,
    submit: t('consent.send'),
    send: async () => {
      const { data } = await mine('PATCH', 'consent', { body: { consent: Number(consent.value()) } });
      session.begin(data);
      await enter();
    },
  });
  return [heading(t('consent.title')), el('p', { class: 'lead' }, t('consent.lead')), el('div', { class: 'card' }, node)];
}
