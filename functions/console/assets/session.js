// The session of this tab. The token is kept in sessionStorage: it is deleted with the tab, and no other site or tab
// can read it.

import { inTab } from './store.js';

const STORED = 'bespoke.session';

/** The lowest level of administrators. */
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

/** Registers a function that is called when the session changes. */
export const onchange = (listener) => listeners.add(listener);

/** The account, or null. */
export const account = () => current?.account ?? null;

/** The token, or null. */
export const token = () => current?.token ?? null;

/** Whether the account may administer. */
export const isAdmin = () => account()?.role === ADMIN;

/** Starts a session with the response to a sign-in. */
export const begin = (answer) => change({ token: answer.token, account: answer.account });

/** Replaces the account by its current state. */
export const update = (fresh) => current && change({ ...current, account: fresh });

/** Ends the session. The API stores no sessions, so forgetting the token is enough. */
export const end = () => change(null);
