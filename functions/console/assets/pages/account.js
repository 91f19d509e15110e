// Profile, address and consent.

import { mine } from '../api.js';
import { el, heading, section } from '../dom.js';
import { area, choice, field, form, tick } from '../form.js';
import { roleName } from '../levels.js';
import { say } from '../notice.js';
import * as session from '../session.js';
import { LANGUAGES, list, t, when } from '../text.js';
import { facts } from '../table.js';
import { consents } from './confirm-signup.js';

/** The name of a field that the API ignored. */
const IGNORED = { username: 'account.username.ignored', email: 'error.emailInvalid' };

/** Changes the account; shows ignored values at their fields. */
async function change(body, fields) {
  const { data } = await mine('PATCH', 'account', { body });
  session.update(data.account);
  const left = data.ignored.filter((name) => name in body);
  for (const name of left) fields[name]?.fail(t(IGNORED[name] ?? 'account.ignored'));
  if (left.length > 0) {
    fields[left[0]]?.input.focus();
    say(t('saved.but', { what: list(left) }), 'bad');
  }
  return left.length === 0;
}

function profile(account) {
  const username = field({ label: t('account.username'), hint: t('account.username.hint'), value: account.username, required: true, autocomplete: 'username' });
  const bio = area({ label: t('account.bio'), hint: t('account.bio.hint'), value: account.bio });
  const language = choice({ label: t('account.language'), options: Object.entries(LANGUAGES), value: account.language });
  const imperial = choice({ label: t('account.units'), options: [['no', t('unit.cm')], ['yes', t('unit.in')]], value: account.imperial ? 'yes' : 'no' });
  const newsletter = tick({ label: t('account.newsletter'), checked: account.newsletter });
  const compare = tick({ label: t('account.compare'), checked: account.compare });
  const { node } = form({
    fields: { username },
    parts: [username.node, bio.node, language.node, imperial.node, newsletter.node, compare.node],
    submit: t('save'),
    send: async () => {
      const body = {
        username: username.input.value,
        bio: bio.input.value,
        language: language.input.value,
        imperial: imperial.input.value === 'yes',
        newsletter: newsletter.input.checked,
        compare: compare.input.checked,
      };
      if (await change(body, { username, bio })) say(t('saved'));
    },
  });
  return section(t('account.profile'), node);
}

function address(account) {
  const email = field({ label: t('account.newemail'), type: 'email', autocomplete: 'email', required: true });
  const { node } = form({
    fields: { email },
    parts: [el('p', {}, t('account.email.text', { email: account.email })), email.node],
    submit: t('account.email.send'),
    send: async () => {
      const wanted = email.input.value;
      if (await change({ email: wanted }, { email })) say(t('account.email.sent', { email: wanted }));
    },
  });
  return section(t('email'), node);
}

function agreement(account) {
  const consent = consents(String(account.consent));
  const { node } = form({
    parts: [el('p', {}, t('account.consent.text')), consent.node],
    submit: t('save'),
    send: async () => {
      if (await change({ consent: Number(consent.value()) }, {})) say(t('saved'));
    },
  });
  return section(t('consent'), node);
}

/** The page. */
export async function page() {
  const { data } = await mine('GET', 'account');
  session.update(data.account);
  const { account } = data;
  const rows = [
    [t('account.role'), roleName(account.role)],
    [t('account.since'), when(account.createdAt)],
    [t('account.id'), el('code', {}, String(account.id))],
  ];
  return [heading(t('account.title')), el('div', { class: 'card' }, facts(rows)), profile(account), address(account), agreement(account)];
}
