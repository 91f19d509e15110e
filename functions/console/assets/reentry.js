// Signing in again after the token was rejected, without leaving the page, so that the input stays.

import { call } from './api.js';
import { show } from './dialog.js';
import { button, el } from './dom.js';
import { field, form } from './form.js';
import * as session from './session.js';
import { t } from './text.js';

let asking = null;

/** Asks the user to sign in; returns whether the same account is signed in again. */
export function signInAgain() {
  if (!session.account()) return Promise.resolve(false);
  asking ??= ask().finally(() => {
    asking = null;
  });
  return asking;
}

function ask() {
  // The id of an account never changes, but its name may have been changed elsewhere.
  const { id, username } = session.account();
  return show(t('reentry.title'), (close) => {
    const password = field({ label: t('password'), type: 'password', autocomplete: 'current-password', required: true });
    const code = field({ label: t('code'), hint: t('code.hint'), autocomplete: 'one-time-code', spellcheck: 'false' });
    code.node.hidden = true;
    const send = async () => {
      try {
        const token = code.node.hidden ? undefined : code.input.value;
        const { data } = await call('POST', 'signin', { body: { username: String(id), password: password.input.value, token } });
        session.begin(data);
        close(true);
      } catch (error) {
        if (error.code === 'mfaTokenRequired') code.node.hidden = false;
        throw error;
      }
    };
    const stay = button(t('reentry.later'), () => close(false));
    const { node } = form({
      fields: { password, code },
      places: { mfaTokenRequired: 'code' },
      parts: [el('p', {}, t('reentry.text', { name: username })), password.node, code.node],
      submit: t('signin'),
      send,
    });
    node.querySelector('.actions').prepend(stay);
    return node;
  }).then(Boolean);
}
