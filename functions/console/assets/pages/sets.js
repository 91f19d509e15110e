// The measurement sets of the account.

import { mine } from '../api.js';
import { button, el, heading, link } from '../dom.js';
import { download } from '../transfer.js';
import { table } from '../table.js';
import { number, t, when } from '../text.js';

/** The page. */
export async function page() {
  const { data } = await mine('GET', 'sets');
  const columns = [
    [t('set.name'), (set) => link(`sets/one/${set.uuid}`, set.name)],
    [t('set.count'), (set) => number(Object.keys(set.measies).length)],
    [t('set.visible'), (set) => t(set.public ? 'set.ispublic' : 'set.isprivate')],
    [t('set.updated'), (set) => when(set.updatedAt)],
  ];
  return [
    heading(t('sets.title')),
    el('p', { class: 'lead' }, t('sets.lead')),
    el(
      'div',
      { class: 'actions' },
      el('a', { class: 'button primary', href: '#/sets/new' }, t('sets.new')),
      el('a', { class: 'button', href: '#/sets/import' }, t('sets.import')),
      data.sets.length > 0 && button(t('sets.export'), () => download({ sets: data.sets }, t('sets.title'))),
    ),
    table({ caption: t('sets.title'), columns, rows: data.sets, empty: t('sets.none') }),
  ];
}
