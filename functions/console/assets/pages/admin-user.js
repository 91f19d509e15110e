// One account, for administrators.

import { mine } from '../api.js';
import { ask } from '../dialog.js';
import { button, el, heading, link, section } from '../dom.js';
import { choice, field, form } from '../form.js';
import { ROLE_NAMES, roleName } from '../levels.js';
import { attempt, say } from '../notice.js';
import { go } from '../router.js';
import { facts } from '../table.js';
import { list, t, when } from '../text.js';

const STATUSES = ['-2', '-1', '0', '1'];
const CONSENTS = ['0', '1', '2', '3'];

/** The page. */
export async function page({ rest }) {
  const path = `admin/user/${encodeURIComponent(rest)}`;
  const { data } = await mine('GET', path);
  const { user, quota } = data;
  const rows = [
    [t('account.id'), String(user.id)],
    [t('email'), user.email],
    [t('account.since'), when(user.createdAt)],
    [t('key.lastseen'), when(user.lastSeen)],
    [t('mfa.title'), t(user.mfaEnabled ? 'yes' : 'no')],
  ];
  return [
    el('p', { class: 'crumbs' }, link('admin/users', t('users.title'))),
    heading(user.username),
    el('div', { class: 'card' }, facts(rows)),
    changes(path, user, quota),
    section(
      t('user.acts'),
      el('p', {}, t('user.acts.text')),
      el(
        'div',
        { class: 'actions' },
        button(t('user.endkeys'), () => endKeys(path, user), 'danger'),
        user.mfaEnabled && button(t('user.mfaoff'), () => dropFactor(path, user), 'danger'),
      ),
    ),
  ];
}

function changes(path, user, quota) {
  const roles = [...new Set([...ROLE_NAMES, user.role])];
  const role = choice({ label: t('account.role'), options: roles.map((name) => [name, roleName(name)]), value: user.role });
  const statuses = [...new Set([...STATUSES, String(user.status)])];
  const status = choice({ label: t('user.status'), options: statuses.map((code) => [code, t(`status.${code}`)]), value: String(user.status) });
  const consent = choice({ label: t('consent'), options: CONSENTS.map((code) => [code, t(`consent.${code}`)]), value: String(user.consent) });
  const most = field({ label: t('user.quota'), hint: t('user.quota.hint'), inputmode: 'numeric', value: quota === null ? '' : String(quota) });
  const { node } = form({
    fields: { most },
    parts: [role.node, status.node, consent.node, most.node],
    submit: t('save'),
    send: async () => {
      const calls = most.input.value.trim();
      const body = { role: role.input.value, status: Number(status.input.value), consent: Number(consent.input.value) };
      body.quota = calls === '' ? null : Number(calls);
      if (Number.isNaN(body.quota)) {
        most.fail(t('user.quota.invalid'));
        most.input.focus();
        return;
      }
      const { data } = await mine('PATCH', path, { body });
      if (data.ignored?.length > 0) say(t('saved.but', { what: list(data.ignored) }), 'bad');
      else say(t('saved'));
    },
  });
  return section(t('user.change'), node);
}

async function endKeys(path, user) {
  const sure = await ask({ title: t('user.endkeys'), text: t('user.endkeys.text', { name: user.username }), yes: t('user.endkeys') });
  if (sure && (await attempt(() => mine('DELETE', `${path}/apikeys`)))) say(t('user.endkeys.done'));
}

async function dropFactor(path, user) {
  const sure = await ask({ title: t('user.mfaoff'), text: t('user.mfaoff.text', { name: user.username }), yes: t('user.mfaoff') });
  if (!sure || !(await attempt(() => mine('PATCH', path, { body: { mfaEnabled: false } })))) return;
  await go(`admin/user/${user.id}`);
  say(t('mfa.removed'));
}
