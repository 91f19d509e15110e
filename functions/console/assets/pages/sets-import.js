// Import of sets from a file.

import { intention, mine } from '../api.js';
import { el, heading, link } from '../dom.js';
import { area, field, form } from '../form.js';
import { say } from '../notice.js';
import { go } from '../router.js';
import { list, number, t } from '../text.js';
import { textOf } from '../transfer.js';

/** The largest number of ignored names that are shown. */
const MAX_TOLD = 10;

/** The format of the text: JSON begins with a bracket. */
const typeOf = (text) => (/^\s*[[{]/.test(text) ? 'application/json' : 'application/yaml');

/** The page. */
export function page() {
  const file = field({ label: t('import.file'), hint: t('import.file.hint'), type: 'file', accept: '.json,.yaml,.yml' });
  const text = area({ label: t('import.text'), rows: '8', spellcheck: 'false', required: true });
  file.input.addEventListener('change', async () => {
    const [chosen] = file.input.files;
    if (!chosen) return;
    text.input.value = await textOf(chosen);
    text.fail('');
  });
  const intend = intention();
  const { node } = form({
    fields: { text },
    places: { formatUnknown: 'text', badRequest: 'text', measurementsInvalid: 'text', nameMissing: 'text', nameTooLong: 'text' },
    parts: [file.node, text.node],
    submit: t('import.send'),
    send: async () => {
      const body = text.input.value;
      const { data } = await mine('POST', 'sets/import', { body, type: typeOf(body), headers: intend(body) });
      await go('sets');
      const done = t('import.done', { added: number(data.added), present: number(data.present) });
      const left = data.ignored.slice(0, MAX_TOLD);
      say(left.length > 0 ? `${done} ${t('import.ignored', { what: list(left) })}` : done);
    },
  });
  return [
    el('p', { class: 'crumbs' }, link('sets', t('sets.title'))),
    heading(t('sets.import')),
    el('p', { class: 'lead' }, t('import.lead')),
    el('div', { class: 'card' }, node),
  ];
}
