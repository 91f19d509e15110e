// Tables that become lists of cards on narrow screens. The roles keep them tables for screen readers in both forms.

import { el } from './dom.js';

/** A table of `columns` (`[heading, row => cell]`) and `rows`; `empty` is shown if there are no rows. */
export function table({ caption, columns, rows, empty }) {
  if (rows.length === 0) return el('p', { class: 'empty' }, empty);
  const head = columns.map(([title]) => el('th', { role: 'columnheader', scope: 'col' }, title));
  const line = (row) => columns.map(([title, cell]) => el('td', { role: 'cell', 'data-label': title }, el('div', {}, cell(row))));
  return el(
    'table',
    { role: 'table' },
    el('caption', { class: 'hidden' }, caption),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, head)),
    el('tbody', { role: 'rowgroup' }, rows.map((row) => el('tr', { role: 'row' }, line(row)))),
  );
}

/** A list of names and values. */
export function facts(pairs) {
  return el('dl', { class: 'facts' }, pairs.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}
