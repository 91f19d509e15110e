// Mails that have not been sent.

import { mine } from '../api.js';
import { button, el, heading } from '../dom.js';
import { attempt, say } from '../notice.js';
import { open } from '../router.js';
import { table } from '../table.js';
import { number, t, when } from '../text.js';

/** The largest number of mails on the page. */
const MAX_SHOWN = 200;

async function retry(mail) {
  if (!(await attempt(() => mine('POST', `admin/outbox/${mail.id}/retry`)))) return;
  await open();
  say(t('outbox.retried'));
}

/** The page. */
export async function page() {
  const { data } = await mine('GET', 'admin/outbox', { query: `?limit=${MAX_SHOWN}` });
  const columns = [
    [t('outbox.to'), (mail) => mail.to],
    [t('outbox.template'), (mail) => mail.template],
    [t('outbox.state'), (mail) => el('span', { class: `tag ${mail.state}` }, t(`outbox.${mail.state}`))],
    [t('outbox.tries'), (mail) => number(mail.tries)],
    [t('outbox.due'), (mail) => (mail.dueAt ? when(mail.dueAt) : '–')],
    [t('outbox.problem'), (mail) => mail.problem ?? '–'],
    [t('outbox.act'), (mail) => button(t('outbox.retry'), () => retry(mail))],
  ];
  return [
    heading(t('outbox.title')),
    el('p', { class: 'lead' }, t('outbox.lead')),
    table({ caption: t('outbox.title'), columns, rows: data.outbox, empty: t('outbox.none') }),
  ];
}
