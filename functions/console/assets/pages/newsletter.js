// The pages of the links in mails of the newsletter.

import { call } from '../api.js';
import { el, fill, heading } from '../dom.js';
import { form } from '../form.js';
import { t } from '../text.js';

/** The page. */
export function page({ path, query }) {
  const kind = path.split('/')[1];
  const id = query.get('id') ?? '';
  const check = query.get('check') ?? '';
  const place = el('div', { class: 'card narrow' });
  const { node } = form({
    parts: el('p', {}, t(`${kind}.text`)),
    submit: t(`${kind}.send`),
    send: async () => {
      if (kind === 'subscribe') await call('PUT', 'subscriber', { body: { id, ehash: check } });
      else await call('DELETE', `subscriber/${encodeURIComponent(id)}/${encodeURIComponent(check)}`);
      const done = el('p', { tabindex: '-1' }, t(`${kind}.done`));
      fill(place, done);
      done.focus();
    },
  });
  fill(place, node);
  return [heading(t(`${kind}.title`)), place];
}
