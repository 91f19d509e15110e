// The page of a sign-in link in a mail.

import { call } from '../api.js';
import { el, heading, link } from '../dom.js';
import { t } from '../text.js';
import { signInForm } from './signin.js';

/** The page. The user must press a button, because mail scanners open links, and this one works once. */
export function page({ query }) {
  const send = async (token) => {
    const body = { check: query.get('check') ?? '', token };
    return (await call('POST', `signinlink/${encodeURIComponent(query.get('id'))}`, { body })).data;
  };
  return [
    heading(t('confirmsignin.title')),
    el('p', { class: 'lead' }, t('confirmsignin.lead')),
    el('div', { class: 'card narrow' }, signInForm({ fields: {}, parts: [], send })),
    el('p', {}, link('signin/link', t('confirmsignin.again'))),
  ];
}
