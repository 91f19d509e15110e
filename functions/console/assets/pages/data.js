// Export, import, freezing and deletion of all data of an account.

import { intention, mine } from '../api.js';
import { ask } from '../dialog.js';
import { button, el, fill, heading, section } from '../dom.js';
import { field, form } from '../form.js';
import { attempt, say } from '../notice.js';
import { parts } from '../parts.js';
import { go } from '../router.js';
import * as session from '../session.js';
import { table } from '../table.js';
import { number, t } from '../text.js';
import { textOf } from '../transfer.js';

function taking() {
  const place = el('div', { role: 'status' });
  const make = () =>
    attempt(async () => {
      const { data } = await mine('POST', 'account/export');
      fill(place, el('p', {}, el('a', { href: data.data, download: 'bespoke-export.json' }, t('data.download')), ' ', t('data.download.hint')));
    });
  return section(t('data.export'), el('p', {}, t('data.export.text')), el('div', { class: 'actions' }, button(t('data.export.send'), make, 'primary')), place);
}

function bringing() {
  const file = field({ label: t('import.file'), type: 'file', accept: '.json', required: true });
  const intend = intention();
  const { node } = form({
    fields: { file },
    places: { formatUnknown: 'file', badRequest: 'file' },
    parts: [el('p', {}, t('data.import.text')), file.node],
    submit: t('data.import.send'),
    kind: '',
    send: async () => {
      let [added, present] = [0, 0];
      const sum = (counts) => counts.sets + counts.patterns + counts.bookmarks;
      for (const body of parts(await textOf(file.input.files[0]))) {
        const { data } = await mine('POST', 'account/import', { body, type: 'application/json', headers: intend(body) });
        session.update(data.account);
        added += sum(data.added);
        present += sum(data.present);
      }
      say(t('import.done', { added: number(added), present: number(present) }));
    },
  });
  return section(t('data.import'), node);
}

const KB = 1_000;

/** A number of bytes and its limit, in KB. */
const inKB = (bytes, limit) => ({ stored: Math.ceil(bytes / KB), limit: Math.floor(limit / KB) });

/** The storage of the account, the bytes that it has written today, and the limits of both. */
function stored({ storage, writtenToday }) {
  const { sets, patterns, bookmarks, apikeys, textBytes } = storage;
  const rows = [
    [t('storage.sets'), sets],
    [t('storage.patterns'), patterns],
    [t('storage.bookmarks'), bookmarks],
    [t('storage.apikeys'), apikeys],
    [t('storage.text'), inKB(textBytes.stored, textBytes.limit)],
  ];
  if (writtenToday.limit !== null) rows.push([t('storage.written'), inKB(writtenToday.bytes, writtenToday.limit)]);
  const columns = [
    [t('storage.kind'), ([name]) => name],
    [t('storage.stored'), ([, one]) => number(one.stored)],
    [t('storage.limit'), ([, one]) => number(one.limit)],
  ];
  return section(t('storage.title'), table({ caption: t('storage.title'), columns, rows }), el('p', {}, t('storage.full')));
}

async function leaveFor(title, text, send, done) {
  const sure = await ask({ title, text, yes: title, typed: session.account().username });
  if (!sure || !(await attempt(send))) return;
  session.end();
  await go('signin');
  say(done);
}

function ending() {
  const freeze = () => leaveFor(t('data.restrict'), t('data.restrict.text'), () => mine('POST', 'account/restrict'), t('data.restrict.done'));
  const remove = () => leaveFor(t('data.delete'), t('data.delete.text'), () => mine('DELETE', 'account'), t('data.delete.done'));
  return [
    section(t('data.restrict'), el('p', {}, t('data.restrict.text')), el('div', { class: 'actions' }, button(t('data.restrict'), freeze, 'danger'))),
    section(t('data.delete'), el('p', {}, t('data.delete.text')), el('div', { class: 'actions' }, button(t('data.delete'), remove, 'danger'))),
  ];
}

/** The page. */
export async function page() {
  const usage = await mine('GET', 'account/usage');
  return [heading(t('data.title')), stored(usage.data), taking(), bringing(), ending()];
}
