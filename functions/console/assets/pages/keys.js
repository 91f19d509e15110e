// The API keys of the account.

import { mine } from '../api.js';
import { el, heading, link, section } from '../dom.js';
import { levelName } from '../levels.js';
import { table } from '../table.js';
import { number, t, when } from '../text.js';

/** The page. */
export async function page() {
  const [keys, usage] = await Promise.all([mine('GET', 'apikeys'), mine('GET', 'account/usage')]);
  // The usage in the list of keys is minutes old; this response is current.
  const used = new Map(usage.data.keys.map((one) => [one.key, one]));
  const columns = [
    [t('key.name'), (key) => link(`keys/one/${key.key}`, String(key.name ?? key.key))],
    [t('key.level'), (key) => [levelName(key.level), (key.scopes || key.cidr) && [' ', el('span', { class: 'tag' }, t('key.limited'))]]],
    [t('key.expires'), (key) => expiry(key)],
    [t('key.calls'), (key) => number(used.get(key.key)?.calls ?? key.calls)],
    [t('key.lastseen'), (key) => when(used.get(key.key)?.lastSeen ?? key.lastSeen)],
  ];
  return [
    heading(t('keys.title')),
    el('p', { class: 'lead' }, t('keys.lead')),
    el('div', { class: 'actions' }, el('a', { class: 'button primary', href: '#/keys/new' }, t('keys.new'))),
    table({ caption: t('keys.title'), columns, rows: keys.data.apikeys, empty: t('keys.none') }),
    section(t('limits.title'), el('p', {}, limits(usage.data.limits)), el('p', {}, t('limits.who'))),
  ];
}

function limits({ callsPerMinute, callsPerDay }) {
  const said = [
    callsPerMinute && t('limits.minute', { calls: number(callsPerMinute) }),
    callsPerDay && t('limits.day', { calls: number(callsPerDay) }),
  ].filter(Boolean);
  return said.length > 0 ? said.join(' ') : t('limits.none');
}

/** The expiry of a key. */
export function expiry(key) {
  const ended = new Date(key.expiresAt) <= new Date();
  return ended ? el('span', { class: 'tag' }, t('key.ended')) : when(key.expiresAt);
}
