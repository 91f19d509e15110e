// Assembles the page: its frame, and the sign-in after the token was rejected.

import { mine, onexpired } from './api.js';
import { button, el, fill, link } from './dom.js';
import { region, say } from './notice.js';
import { signInAgain } from './reentry.js';
import * as router from './router.js';
import * as session from './session.js';
import { onDevice } from './store.js';
import { LANGUAGES, choose, isChosen, language, preferred, speak, t } from './text.js';

const THEME = 'bespoke.theme';
const PLACES = [
  ['keys', 'nav.keys'],
  ['sets', 'nav.sets'],
  ['account', 'nav.account'],
  ['security', 'nav.security'],
  ['data', 'nav.data'],
];
const ADMIN_PLACES = [
  ['admin/users', 'nav.users'],
  ['admin/usage', 'nav.usage'],
  ['admin/outbox', 'nav.outbox'],
  ['admin/audit', 'nav.audit'],
];
/** Pages whose entry in the menu has another name. */
const BELOW = { 'keys/new': 'keys', 'keys/one': 'keys', 'sets/new': 'sets', 'sets/one': 'sets', 'sets/import': 'sets', 'admin/user': 'admin/users' };

const app = document.getElementById('app');
const header = el('header', { class: 'top' });
const main = el('main', { id: 'main', tabindex: '-1' });
const footer = el('footer', { class: 'bottom' });

function drawHeader() {
  const who = session.account();
  const brand = el('a', { class: 'brand', href: '#/' }, el('span', { class: 'mark', 'aria-hidden': 'true' }), t('brand'));
  const out = who && el('div', { class: 'who' }, el('span', { class: 'name' }, who.username), button(t('signout'), signOut, 'quiet'));
  fill(header, el('div', { class: 'bar' }, brand, out), who && navigation());
}

function navigation() {
  const places = session.isAdmin() ? [...PLACES, ...ADMIN_PLACES] : PLACES;
  const items = places.map(([path, name]) => el('li', {}, link(path, t(name))));
  return el('nav', { 'aria-label': t('nav') }, el('ul', {}, items));
}

function mark() {
  const page = main.dataset.page;
  const path = BELOW[page] ?? page;
  for (const one of header.querySelectorAll('nav a')) {
    if (one.getAttribute('href') === `#/${path}`) one.setAttribute('aria-current', 'page');
    else one.removeAttribute('aria-current');
  }
}

function drawFooter() {
  const options = Object.entries(LANGUAGES).map(([code, name]) =>
    el('option', { value: code, lang: code, selected: code === language() }, name),
  );
  const languages = el('select', { id: 'language', onchange: ({ target }) => speakAnother(target.value) }, options);
  const now = document.documentElement.dataset.theme ?? 'auto';
  const themes = ['auto', 'light', 'dark'].map((name) => el('option', { value: name, selected: name === now }, t(`theme.${name}`)));
  const theme = el('select', { id: 'theme', onchange: ({ target }) => paint(target.value) }, themes);
  fill(
    footer,
    el('div', { class: 'switches' }, el('label', { for: 'language' }, t('language')), languages, el('label', { for: 'theme' }, t('theme')), theme),
    el('p', {}, el('a', { href: new URL('../docs/', import.meta.url).href }, t('reference'))),
  );
}

function paint(theme) {
  if (theme === 'auto') {
    onDevice.remove(THEME);
    delete document.documentElement.dataset.theme;
  } else {
    onDevice.set(THEME, theme);
    document.documentElement.dataset.theme = theme;
  }
}

async function speakAnother(code) {
  if (!(await router.mayLeave())) return drawFooter();
  try {
    await choose(code);
  } catch {
    say(t('error.unreachable'), 'bad');
  }
  draw();
  await router.open();
  document.getElementById('language').focus();
}

function draw() {
  fill(app, el('a', { class: 'skip', href: '#main', onclick: skip }, t('skip')), header, el('div', { class: 'middle' }, region(), main), footer);
  drawHeader();
  drawFooter();
}

/** The address names the current page, so this link must not change it. */
function skip(event) {
  event.preventDefault();
  main.focus();
}

async function signOut() {
  if (!(await router.mayLeave())) return;
  session.end();
  await router.go('signin');
  say(t('signedout'));
}

/** Checks whether the token of an earlier page is still valid. Without a response it is kept. */
async function check() {
  if (!session.token()) return;
  try {
    const { data } = await mine('GET', 'whoami');
    session.update(data.account);
  } catch (error) {
    if (error.code === 'consentLacking') await router.go('consent');
    else if (error.status === 401 || error.status === 403) session.end();
  }
}

async function start() {
  await speak(preferred());
  draw();
  session.onchange(() => {
    drawHeader();
    mark();
  });
  addEventListener('opened', mark);
  await check();
  const account = session.account();
  if (account && !isChosen() && account.language in LANGUAGES && account.language !== language()) {
    await speak(account.language);
    draw();
  }
  onexpired(signInAgain);
  await router.start(main);
}

start().catch((error) => {
  console.error(error);
  app.textContent = 'The server does not answer. Please load this page again.';
});
