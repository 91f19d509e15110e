// Selects a page by the address. Pages are behind the `#`; links of mails are paths below the folder of the console.

import { button, el, fill, heading, link } from './dom.js';
import { hush } from './notice.js';
import * as session from './session.js';
import { sentence, t } from './text.js';

/** Public pages: the first part of the path, and its module. */
const OPEN = {
  signin: 'signin',
  signup: 'signup',
  'signin/link': 'signin-link',
  'signin/callback': 'callback',
  'confirm/signup': 'confirm-signup',
  'confirm/signin': 'confirm-signin',
  'newsletter/subscribe': 'newsletter',
  'newsletter/unsubscribe': 'newsletter',
};

/** Pages that require an account. */
const CLOSED = {
  consent: 'consent',
  'confirm/emailchange': 'confirm-email',
  keys: 'keys',
  'keys/new': 'key-new',
  'keys/one': 'key',
  sets: 'sets',
  'sets/new': 'set',
  'sets/one': 'set',
  'sets/import': 'sets-import',
  account: 'account',
  security: 'security',
  data: 'data',
  'admin/users': 'admin-users',
  'admin/user': 'admin-user',
  'admin/usage': 'admin-usage',
  'admin/outbox': 'admin-outbox',
  'admin/audit': 'admin-audit',
};

const FOLDER = new URL('./', import.meta.url).pathname;

/** The page of the address: `{ path, rest, query }`. */
export function place() {
  const below = location.pathname.slice(FOLDER.length).replace(/\/$/, '').toLowerCase();
  const said = below && !location.hash ? below + location.search : location.hash.replace(/^#\/?/, '');
  const [path, search = ''] = said.split('?');
  const known = Object.keys({ ...OPEN, ...CLOSED })
    .filter((name) => path === name || path.startsWith(`${name}/`))
    .sort((one, other) => other.length - one.length)[0];
  const rest = known ? decoded(path.slice(known.length + 1)) : '';
  return { path: known ?? path, rest, query: new URLSearchParams(search) };
}

/** An invalid encoding stays as it is. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Goes to a page, and forgets the link of a mail. Resolves when the page is rendered. */
export function go(path) {
  const address = `${FOLDER}#/${path}`;
  const inPlace = location.pathname !== FOLDER || location.search || location.hash === `#/${path}`;
  if (inPlace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  return open();
}

let main;
let turn = 0;
let guard = null;
let shown = '';

/** Starts the router, with the element that contains the pages. */
export function start(node) {
  main = node;
  addEventListener('hashchange', leave);
  addEventListener('beforeunload', (event) => {
    if (guard?.dirty()) event.preventDefault();
  });
  return open(true);
}

/** Pages with unsaved changes register a question that is asked before they are left. */
export function keep(dirty, ask) {
  guard = { dirty, ask };
}

/** Whether the page may be left. */
export async function mayLeave() {
  return !guard?.dirty() || guard.ask();
}

async function leave() {
  if (location.href === shown) return;
  if (guard?.dirty()) {
    const target = location.href;
    history.replaceState(null, '', shown);
    if (!(await mayLeave())) return;
    history.pushState(null, '', target);
  }
  await open();
}

/** The page to show after the sign-in. */
let wanted = null;

/** Continues after a sign-in. */
export function enter() {
  // The link of a mail that requires its owner's session.
  if (place().path === 'confirm/emailchange') return open();
  const path = session.account().consent > 0 ? (wanted ?? 'keys') : 'consent';
  wanted = null;
  return go(path);
}

function module({ path }) {
  if (OPEN[path]) return OPEN[path];
  if (!CLOSED[path]) return null;
  if (session.token()) return CLOSED[path];
  wanted = location.hash.replace(/^#\/?/, '') || null;
  return path === 'confirm/emailchange' ? CLOSED[path] : 'signin';
}

/** Shows the page of the address. */
export async function open(first = false) {
  turn += 1;
  const mine = turn;
  guard = null;
  shown = location.href;
  const at = place();
  if (!at.path) at.path = session.token() ? 'keys' : 'signin';
  if (!first) hush();
  main.setAttribute('aria-busy', 'true');
  const content = await build(at);
  if (mine !== turn) return;
  fill(main, content);
  main.removeAttribute('aria-busy');
  main.dataset.page = at.path;
  const title = main.querySelector('h1');
  document.title = `${title.textContent} · Bespoke`;
  scrollTo(0, 0);
  if (!first) title.focus({ preventScroll: true });
  dispatchEvent(new CustomEvent('opened', { detail: at.path }));
}

async function build(at) {
  const name = module(at);
  if (!name) return [heading(t('nowhere.title')), el('p', {}, t('nowhere.text')), el('p', {}, link('', t('nowhere.home')))];
  try {
    const { page } = await import(`./pages/${name}.js`);
    return await page(at);
  } catch (error) {
    // A module that cannot be loaded means that the server is unreachable.
    const said = error.code ? error : { code: 'unreachable' };
    if (!error.code) console.error(error);
    const again = error.code ? () => open() : reload;
    return [
      heading(t(said.code === 'missing' ? 'nowhere.title' : 'failed.title')),
      el('p', { class: 'notice bad' }, sentence(said)),
      el('div', { class: 'actions' }, button(t('again'), again, 'primary')),
    ];
  }
}

/** Reloads the document when the server responds again, because browsers remember that a module failed to load. */
async function reload() {
  try {
    await fetch(FOLDER, { cache: 'no-store' });
  } catch {
    return open();
  }
  location.reload();
}
