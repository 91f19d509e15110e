// Search for accounts.

import { mine } from '../api.js';
import { el, fill, heading, link } from '../dom.js';
import { field, form } from '../form.js';
import { roleName } from '../levels.js';
import { table } from '../table.js';
import { t, when } from '../text.js';

const COLUMNS = () => [
  [t('account.username'), (user) => link(`admin/user/${user.id}`, user.username)],
  [t('email'), (user) => user.email],
  [t('account.role'), (user) => roleName(user.role)],
  [t('user.status'), (user) => t(`status.${user.status}`)],
  [t('key.lastseen'), (user) => when(user.lastSeen)],
];

/** The page. */
export function page() {
  const words = field({ label: t('users.search'), hint: t('users.search.hint'), type: 'search', required: true });
  const found = el('div', { role: 'status' });
  const { node } = form({
    fields: { words },
    places: { listTooLarge: 'words' },
    parts: words.node,
    submit: t('users.send'),
    send: async () => {
      const { data } = await mine('POST', 'admin/search/users', { body: { q: words.input.value } });
      const users = [...new Map([...data.users.email, ...data.users.username].map((user) => [user.id, user])).values()];
      fill(found, table({ caption: t('users.title'), columns: COLUMNS(), rows: users, empty: t('users.none') }));
    },
  });
  return [heading(t('users.title')), el('div', { class: 'card' }, node), found];
}
