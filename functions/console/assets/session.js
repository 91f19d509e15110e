// Who is signed in, in this tab. The token is kept in sessionStorage: it ends with the tab, and no other site and no other tab
// reads it.

import { inTab } from './store.js';

const STORED = 'bespoke.session';

/** Level from which accounts administer. */
const ADMIN = 'admin';

let current = read();
const listeners = new Set();

function read() {
  try {
    return JSON.parse(inTab.get(STORED));
  } catch {
    return null;
  }
}

function change(session) {
  current = session;
  if (session) inTab.set(STORED, JSON.stringify(session));
  else inTab.remove(STORED);
  for (const listener of listeners) listener();
}

/** Has a function called whenever who is signed in changes. */
export const onchange = (listener) => listeners.add(listener);

/** The account, or null. */
export const account = () => current?.account ?? null;

/** The token, or null. */
export const token = () => current?.token ?? null;

/** Whether the account administers. */
export const isAdmin = () => account()?.role === ADMIN;

/** Begins with what a sign-in answers. */
export const begin = (answer) => change({ token: answer.token, account: answer.account });

/** Takes the account as it is now. */
export const update = (fresh) => current && change({ ...current, account: fresh });

/** Ends. The API knows no sessions: a token that is forgotten is gone. */
export const end = () => change(null);
