// Actions of administrators.

import { mine } from '../api.js';
import { button, el, fill, heading, link } from '../dom.js';
import { attempt } from '../notice.js';
import { table } from '../table.js';
import { t, when } from '../text.js';

/** Number of entries that are shown at once. */
const PART = 50;

function target(row) {
  const user = row.target?.match(/^users\/(\d+)$/)?.[1];
  return user ? link(`admin/user/${user}`, row.target) : (row.target ?? '–');
}

function details(row) {
  if (row.before === null && row.after === null) return '–';
  const text = JSON.stringify({ before: row.before, after: row.after }, null, 2);
  return el('details', {}, el('summary', {}, t('audit.show')), el('pre', { tabindex: '0' }, text));
}

async function part(after) {
  const query = `?limit=${PART}${after ? `&after=${after}` : ''}`;
  return (await mine('GET', 'admin/audit', { query })).data.audit;
}

/** The page. */
export async function page() {
  const columns = [
    [t('audit.when'), (row) => when(row.createdAt)],
    [t('audit.actor'), (row) => link(`admin/user/${row.actor}`, String(row.actor))],
    [t('audit.action'), (row) => el('code', {}, row.action)],
    [t('audit.target'), target],
    [t('audit.change'), details],
  ];
  const rows = await part();
  const place = el('div', {});
  const draw = (full) => {
    const more = full && button(t('audit.more'), () => attempt(next));
    fill(place, table({ caption: t('audit.title'), columns, rows, empty: t('audit.none') }), more && el('div', { class: 'actions' }, more));
  };
  const next = async () => {
    const older = await part(rows.at(-1).id);
    rows.push(...older);
    draw(older.length === PART);
  };
  draw(rows.length === PART);
  return [heading(t('audit.title')), el('p', { class: 'lead' }, t('audit.lead')), place];
}
