// The keys and accounts with the most calls.

import { mine } from '../api.js';
import { el, heading, link, section } from '../dom.js';
import { table } from '../table.js';
import { number, t } from '../text.js';

const DAYS = 7;

/** The page. */
export async function page() {
  const { data } = await mine('GET', 'admin/usage', { query: `?days=${DAYS}` });
  const counts = [
    [t('usage.calls'), (one) => number(one.calls)],
    [t('usage.refused'), (one) => number(one.refused)],
  ];
  const owner = [t('account.username'), (one) => link(`admin/user/${one.userId}`, one.username)];
  const name = [t('key.name'), (one) => String(one.name ?? one.key)];
  return [
    heading(t('heavy.title')),
    el('p', { class: 'lead' }, t('heavy.lead', { days: DAYS })),
    section(t('heavy.keys'), table({ caption: t('heavy.keys'), columns: [name, owner, ...counts], rows: data.keys, empty: t('usage.none') })),
    section(t('heavy.users'), table({ caption: t('heavy.users'), columns: [owner, ...counts], rows: data.users, empty: t('usage.none') })),
  ];
}
