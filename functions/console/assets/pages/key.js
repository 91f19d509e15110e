// One API key: permissions, usage, rotation, revocation.

import { mine } from '../api.js';
import { ask, show } from '../dialog.js';
import { button, el, fill, heading, link, section } from '../dom.js';
import { choice } from '../form.js';
import { levelName, scopesInWords } from '../levels.js';
import { attempt, say } from '../notice.js';
import { go } from '../router.js';
import { keyAndSecret } from '../secret.js';
import { facts } from '../table.js';
import { t, when } from '../text.js';
import { DAYS, usageOf } from '../usage.js';
import { expiry } from './keys.js';

const HOUR_S = 3600;
/** Choices for how long the previous secret stays valid, in seconds, with their names. */
const GRACES = [
  [0, 'grace.none'],
  [HOUR_S, 'grace.hour'],
  [24 * HOUR_S, 'grace.day'],
  [7 * 24 * HOUR_S, 'grace.week'],
  [30 * 24 * HOUR_S, 'grace.month'],
];

/** The page. */
export async function page({ rest }) {
  const path = `apikeys/${encodeURIComponent(rest)}`;
  const [{ data }, usage, sets] = await Promise.all([
    mine('GET', path),
    mine('GET', `${path}/usage`, { query: `?days=${DAYS}` }),
    mine('GET', 'sets'),
  ]);
  const key = data.apikey;
  const name = String(key.name ?? key.key);
  const place = el('div', {});
  const rows = [
    [t('key.level'), levelName(key.level)],
    [t('key.scopes'), el('ul', { class: 'plain' }, scopesInWords(key.scopes, sets.data.sets).map((words) => el('li', {}, words)))],
    [t('key.expires'), expiry(key)],
    [t('key.created'), when(key.createdAt)],
    [t('key.lastseen'), when(usage.data.lastSeen)],
    [t('key.networks'), key.cidr ? key.cidr.join(', ') : t('key.everywhere')],
    [t('secret.key'), el('code', {}, key.key)],
  ];
  return [
    el('p', { class: 'crumbs' }, link('keys', t('keys.title'))),
    heading(name),
    place,
    el('div', { class: 'card' }, facts(rows)),
    section(t('usage.title'), usageOf(usage.data)),
    section(
      t('key.change'),
      el('p', {}, t('key.rotate.text')),
      el('div', { class: 'actions' }, button(t('key.rotate'), () => rotate(path, place)), button(t('key.end'), () => end(path, name), 'danger')),
    ),
  ];
}

async function rotate(path, place) {
  const grace = await show(t('key.rotate'), (close) => {
    const wait = choice({
      label: t('key.grace'),
      hint: t('key.grace.hint'),
      options: GRACES.map(([seconds, words]) => [String(seconds), t(words)]),
      value: String(24 * HOUR_S),
    });
    const no = button(t('cancel'), () => close());
    const yes = button(t('key.rotate'), () => close(Number(wait.input.value)), 'primary');
    return [el('p', {}, t('key.rotate.text')), wait.node, el('div', { class: 'actions' }, no, yes)];
  });
  if (grace === undefined) return;
  await attempt(async () => {
    const { data } = await mine('POST', `${path}/rotate`, { body: { graceSeconds: grace } });
    const shown = keyAndSecret(data.apikey);
    fill(place, shown);
    shown.querySelector('h2').focus();
  });
}

async function end(path, name) {
  const sure = await ask({ title: t('key.end'), text: t('key.end.text', { name }), yes: t('key.end') });
  if (!sure) return;
  const done = await attempt(() => mine('DELETE', path));
  if (!done) return;
  await go('keys');
  say(t('key.end.done', { name }));
}
