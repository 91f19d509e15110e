// The page of the link in the mail to a new account: consent, and a password.

import { call, mine } from '../api.js';
import { el, heading, link } from '../dom.js';
import { field, form, radios } from '../form.js';
import { say } from '../notice.js';
import { go } from '../router.js';
import * as session from '../session.js';
import { sentence, t } from '../text.js';

/** The options of consent with which an account can be used. */
export function consents(value) {
  const options = ['1', '2', '3'].map((code) => [code, t(`consent.${code}`), t(`consent.${code}.hint`)]);
  return radios({ legend: t('consent'), name: 'consent', options, value });
}

/** The page. */
export function page({ query }) {
  const consent = consents('2');
  const password = field({ label: t('password.new'), hint: t('password.hint'), type: 'password', autocomplete: 'new-password', required: true });
  const { node } = form({
    fields: { password },
    parts: [consent.node, password.node],
    submit: t('confirm.send'),
    send: async () => {
      const body = { consent: Number(consent.value()), check: query.get('check') };
      const { data } = await call('POST', `confirm/signup/${encodeURIComponent(query.get('id'))}`, { body });
      session.begin(data);
      // The account exists from now on. If the password fails, the user can set it on the page for signing in.
      const problem = await setPassword(password.input.value);
      await go(problem ? 'security' : 'keys');
      say(problem ?? t('confirm.done'), problem ? 'bad' : 'good');
    },
  });
  return [
    heading(t('confirm.title')),
    el('p', { class: 'lead' }, t('confirm.lead')),
    el('div', { class: 'card' }, node),
    el('p', {}, link('signup', t('confirm.again'))),
  ];
}

/** Returns the error, or null. */
async function setPassword(password) {
  try {
    const { data } = await mine('PATCH', 'account', { body: { password } });
    session.update(data.account);
    return data.ignored.includes('password') ? t('password.ignored') : null;
  } catch (error) {
    return sentence(error);
  }
}
