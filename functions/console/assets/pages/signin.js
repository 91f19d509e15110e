// Signing in with a password, and with a code if the account requires one.

import { call } from '../api.js';
import { button, el, heading, link } from '../dom.js';
import { field, form } from '../form.js';
import { complain } from '../notice.js';
import { enter } from '../router.js';
import * as session from '../session.js';
import { inTab } from '../store.js';
import { language, t } from '../text.js';

/** The key under which the state of a sign-in through a provider is stored. */
export const BEGUN = 'bespoke.oauth';
const NAMES = { github: 'GitHub', google: 'Google' };

/** The names of the enabled sign-in providers. */
function providers() {
  return document.querySelector('meta[name="bespoke-providers"]').content.split(' ').filter((name) => name in NAMES);
}

async function through(provider) {
  try {
    const { data } = await call('POST', 'signin/oauth/init', { body: { provider, language: language() } });
    inTab.set(BEGUN, new URL(data.authUrl).searchParams.get('state'));
    location.assign(data.authUrl);
  } catch (error) {
    complain(error);
  }
}

/** A form with fields and, when it is required, a field for the second factor. `send` gets the code or undefined. */
export function signInForm({ fields, parts, send, places = {} }) {
  const code = field({ label: t('code'), hint: t('code.hint'), autocomplete: 'one-time-code', spellcheck: 'false' });
  code.node.hidden = true;
  const { node } = form({
    fields: { ...fields, code },
    places: { mfaTokenRequired: 'code', ...places },
    parts: [parts, code.node],
    submit: t('signin'),
    send: async () => {
      try {
        session.begin(await send(code.node.hidden ? undefined : code.input.value));
      } catch (error) {
        if (error.code === 'mfaTokenRequired') code.node.hidden = false;
        throw error;
      }
      await enter();
    },
  });
  return node;
}

/** The page. */
export function page() {
  const username = field({ label: t('username'), autocomplete: 'username', required: true, spellcheck: 'false' });
  const password = field({ label: t('password'), type: 'password', autocomplete: 'current-password', required: true });
  const send = async (token) => {
    const body = { username: username.input.value, password: password.input.value, token };
    return (await call('POST', 'signin', { body })).data;
  };
  const node = signInForm({ fields: { username, password }, parts: [username.node, password.node], send });
  const others = providers().map((name) => button(t('signin.through', { name: NAMES[name] }), () => through(name)));
  return [
    heading(t('signin.title')),
    el('p', { class: 'lead' }, t('signin.lead')),
    el('div', { class: 'card narrow' }, node, others.length > 0 && el('div', { class: 'actions' }, others)),
    el('p', {}, link('signin/link', t('signin.bylink'))),
    el('p', {}, link('signup', t('signin.new'))),
  ];
}
