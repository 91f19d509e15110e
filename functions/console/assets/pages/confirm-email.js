// The page of the link in the mail to a new address. Only the signed-in owner can make it the address of the account.

import { mine } from '../api.js';
import { el, heading } from '../dom.js';
import { form } from '../form.js';
import { say } from '../notice.js';
import { go } from '../router.js';
import * as session from '../session.js';
import { t } from '../text.js';
import { page as signIn } from './signin.js';

/** The page. Without a session, the user signs in first and then returns here. */
export function page({ query }) {
  if (!session.token()) return [el('p', { class: 'notice' }, t('confirmemail.signin')), signIn()];
  const { node } = form({
    parts: el('p', {}, t('confirmemail.text', { name: session.account().username })),
    submit: t('confirmemail.send'),
    send: async () => {
      const body = { confirm: 'emailchange', confirmation: query.get('id'), check: query.get('check') };
      const { data } = await mine('PATCH', 'account', { body });
      session.update(data.account);
      await go('account');
      say(t('confirmemail.done', { email: data.account.email }));
    },
  });
  return [heading(t('confirmemail.title')), el('div', { class: 'card narrow' }, node)];
}
