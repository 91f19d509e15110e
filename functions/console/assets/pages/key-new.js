// A new API key.

import { intention, mine } from '../api.js';
import { el, fill, heading, link } from '../dom.js';
import { area, choice, field, form, radios, tick } from '../form.js';
import { SCOPES, levelsFor } from '../levels.js';
import { keyAndSecret } from '../secret.js';
import * as session from '../session.js';
import { t } from '../text.js';

const DAY_S = 86_400;
const LIVES_DAYS = [1, 7, 30, 90, 365, 732];
const USUAL_DAYS = 90;
/** Read the owner's data only. */
const USUAL_LEVEL = '1';

function maxDays() {
  return Number(document.querySelector('meta[name="bespoke-max-key-days"]').content);
}

function lives() {
  const most = maxDays();
  const days = [...new Set([...LIVES_DAYS.filter((life) => life < most), most])];
  const value = String(days.includes(USUAL_DAYS) ? USUAL_DAYS : days.at(-1));
  return choice({
    label: t('key.life'),
    hint: t('key.life.hint'),
    options: days.map((life) => [String(life), t('days', { days: life })]),
    value,
  });
}

/** The scopes of the key: everything, some scopes, or reading one set. */
function scopes(sets) {
  const kind = radios({
    legend: t('key.scopes'),
    name: 'scopes',
    value: 'all',
    options: [
      ['all', t('scope.all'), t('scope.all.hint')],
      ['some', t('scope.some'), t('scope.some.hint')],
      ...(sets.length > 0 ? [['set', t('scope.one'), t('scope.one.hint')]] : []),
    ],
  });
  const some = SCOPES.map((scope) => [scope, tick({ label: t(`scope.${scope}`) })]);
  const someNode = el('fieldset', { class: 'inner' }, el('legend', {}, t('scope.some')), some.map(([, one]) => one.node));
  const set = choice({ label: t('scope.which'), options: sets.map(({ uuid, name }) => [uuid, name]) });
  const show = () => {
    someNode.hidden = kind.value() !== 'some';
    set.node.hidden = kind.value() !== 'set';
  };
  for (const input of kind.inputs) input.addEventListener('change', show);
  show();
  const value = () => {
    if (kind.value() === 'all') return undefined;
    if (kind.value() === 'set') return [`set:${set.input.value}:read`];
    return some.filter(([, one]) => one.input.checked).map(([scope]) => scope);
  };
  return { nodes: [kind.node, someNode, set.node], value };
}

/** The page. */
export async function page() {
  const { data } = await mine('GET', 'sets');
  const name = field({ label: t('key.name'), hint: t('key.name.hint'), required: true, autocomplete: 'off' });
  const choices = levelsFor(session.account().role);
  const usual = choices.find(([code]) => code === USUAL_LEVEL) ?? choices[0];
  const level = radios({ legend: t('key.level'), name: 'level', options: choices, value: usual[0] });
  const life = lives();
  const scope = scopes(data.sets);
  const networks = area({ label: t('key.networks'), hint: t('key.networks.hint'), rows: '2', spellcheck: 'false' });
  const more = el('details', {}, el('summary', {}, t('key.more')), networks.node);
  const place = el('div', {});
  const intend = intention();
  const { node } = form({
    fields: { name, life, networks },
    places: { nameTooLong: 'name', nameMissing: 'name', expiresIsHigherThanMaximum: 'life', cidrInvalid: 'networks' },
    parts: [name.node, level.node, life.node, scope.nodes, more],
    submit: t('key.make'),
    send: async () => {
      const cidr = networks.input.value.split(/[\s,;]+/).filter(Boolean);
      const body = {
        name: name.input.value.trim(),
        level: Number(level.value()),
        expiresIn: Number(life.input.value) * DAY_S,
        scopes: scope.value(),
        cidr: cidr.length > 0 ? cidr : undefined,
      };
      const made = await mine('POST', 'apikeys', { body, headers: intend(body) });
      const shown = keyAndSecret(made.data.apikey);
      fill(place, shown, el('p', {}, link('keys', t('secret.done'))));
      shown.querySelector('h2').focus();
    },
  });
  fill(place, el('div', { class: 'card' }, node));
  return [heading(t('keys.new')), place];
}
