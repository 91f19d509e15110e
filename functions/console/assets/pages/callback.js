// The page to which a sign-in provider redirects.

import { call } from '../api.js';
import { el, heading, link } from '../dom.js';
import { inTab } from '../store.js';
import { t } from '../text.js';
import { BEGUN, signInForm } from './signin.js';

/** The page. The provider's code works once, so it is sent only when the button is pressed, with a second factor if required. */
export function page({ rest, query }) {
  // A sign-in that another tab or site began could lead to an account of another person.
  const begun = query.get('state') !== null && query.get('state') === inTab.get(BEGUN);
  if (!begun || query.get('error')) {
    const said = t(begun ? 'callback.refused' : 'error.stateInvalid');
    return [heading(t('signin.title')), el('p', { class: 'notice bad' }, said), el('p', {}, link('signin', t('back.signin')))];
  }
  const send = async (token) => {
    const body = { provider: rest, state: query.get('state') ?? '', code: query.get('code') ?? '', token };
    return (await call('POST', 'signin/oauth', { body })).data;
  };
  return [
    heading(t('callback.title')),
    el('p', { class: 'lead' }, t('callback.lead')),
    el('div', { class: 'card narrow' }, signInForm({ fields: {}, parts: [], send })),
    el('p', {}, link('signin', t('back.signin'))),
  ];
}
