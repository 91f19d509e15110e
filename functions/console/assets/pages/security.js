// The password, the second factor, and signing out everywhere.

import { mine } from '../api.js';
import { ask } from '../dialog.js';
import { button, el, fill, heading, section } from '../dom.js';
import { field, form } from '../form.js';
import { attempt, say } from '../notice.js';
import { go } from '../router.js';
import { copied } from '../secret.js';
import * as session from '../session.js';
import { t } from '../text.js';

function password() {
  const current = field({ label: t('password.current'), hint: t('password.current.hint'), type: 'password', autocomplete: 'current-password' });
  const fresh = field({ label: t('password.new'), hint: t('password.hint'), type: 'password', autocomplete: 'new-password', required: true });
  const { node } = form({
    fields: { current, fresh },
    places: { authenticationFailed: 'current' },
    parts: [current.node, fresh.node],
    submit: t('password.send'),
    send: async () => {
      const body = { password: fresh.input.value, currentPassword: current.input.value || undefined };
      const { data } = await mine('PATCH', 'account', { body });
      session.update(data.account);
      if (data.ignored.includes('password')) {
        fresh.fail(t('password.ignored'));
        fresh.input.focus();
        return;
      }
      for (const one of [current, fresh]) one.input.value = '';
      say(t('password.done'));
    },
  });
  return section(t('password'), node);
}

function secondFactor() {
  const place = el('div', {});
  const on = session.account().mfaEnabled;
  fill(place, on ? removal(place) : offer(place));
  return section(t('mfa.title'), place);
}

function offer(place) {
  const start = () =>
    attempt(async () => {
      const { data } = await mine('POST', 'account/mfa', { body: { mfa: true } });
      fill(place, setUp(place, data.mfa));
      place.querySelector('input').focus();
    });
  return [el('p', {}, t('mfa.text')), el('div', { class: 'actions' }, button(t('mfa.start'), start, 'primary'))];
}

/** The QR code is an image, so that none of its content becomes part of the page. */
function picture(svg) {
  return el('img', { class: 'qrcode', width: '240', height: '240', alt: t('mfa.qr'), src: `data:image/svg+xml,${encodeURIComponent(svg)}` });
}

function setUp(place, { secret, otpauth, qrcode }) {
  const code = field({ label: t('code'), autocomplete: 'one-time-code', inputmode: 'numeric', required: true, spellcheck: 'false' });
  const { node } = form({
    fields: { code },
    places: { mfaTokenInvalid: 'code' },
    parts: [
      el('p', {}, t('mfa.scan')),
      picture(qrcode),
      copied(t('mfa.secret'), secret),
      el('p', {}, el('a', { href: otpauth }, t('mfa.app'))),
      code.node,
    ],
    submit: t('mfa.confirm'),
    send: async () => {
      const { data } = await mine('POST', 'account/mfa', { body: { mfa: true, secret, token: code.input.value } });
      session.update(data.account);
      const title = el('h3', { tabindex: '-1' }, t('mfa.scratch.title'));
      fill(place, title, el('p', {}, t('mfa.scratch')), copied(t('mfa.scratch.codes'), data.scratchCodes.join('\n')), removal(place));
      title.focus();
    },
  });
  return node;
}

function removal(place) {
  const typed = field({ label: t('password'), type: 'password', autocomplete: 'current-password', required: true });
  const code = field({ label: t('code'), hint: t('code.hint'), autocomplete: 'one-time-code', required: true, spellcheck: 'false' });
  const { node } = form({
    fields: { typed, code },
    parts: [typed.node, code.node],
    submit: t('mfa.remove'),
    kind: 'danger',
    send: async () => {
      const body = { mfa: false, password: typed.input.value, token: code.input.value };
      const { data } = await mine('POST', 'account/mfa', { body });
      session.update(data.account);
      fill(place, offer(place));
      say(t('mfa.removed'));
    },
  });
  return [el('p', {}, t('mfa.on')), el('details', {}, el('summary', {}, t('mfa.remove')), node)];
}

async function signOutEverywhere() {
  const sure = await ask({ title: t('everywhere.title'), text: t('everywhere.text'), yes: t('everywhere.send') });
  if (!sure) return;
  const done = await attempt(() => mine('PATCH', 'account', { body: { signOutEverywhere: true } }));
  if (!done) return;
  session.end();
  await go('signin');
  say(t('everywhere.done'));
}

/** The page. */
export async function page() {
  const { data } = await mine('GET', 'account');
  session.update(data.account);
  return [
    heading(t('security.title')),
    password(),
    secondFactor(),
    section(t('everywhere.title'), el('p', {}, t('everywhere.text')), el('div', { class: 'actions' }, button(t('everywhere.send'), signOutEverywhere))),
  ];
}
