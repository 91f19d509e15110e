// Calls of the API, from the same origin.

import * as session from './session.js';

const ROOT = new URL('../', import.meta.url);

/** A call that failed: `code` is the API's, or `unreachable` without an answer, or `missing` for a record that is not there. */
export class ApiError extends Error {
  constructor(status, code, { retryAfter, body } = {}) {
    super(code);
    Object.assign(this, { status, code, retryAfter, body });
  }
}

/** Where a path of the API is. */
export const url = (path) => new URL(path.replace(/^\//, ''), ROOT);

/**
 * Calls the API. `body` is sent as JSON, or as it is with `type`. Gives `{ data, etag }`.
 *
 * Throws an `ApiError`.
 */
export async function call(method, path, { body, type, headers = {}, token } = {}) {
  const sent = { ...headers };
  if (token) sent.Authorization = `Bearer ${token}`;
  if (body !== undefined) sent['Content-Type'] = type ?? 'application/json';
  const payload = body === undefined || type ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(url(path), { method, headers: sent, body: payload, credentials: 'omit', redirect: 'error' });
  } catch {
    throw new ApiError(0, 'unreachable');
  }
  const data = await read(answer);
  if (!answer.ok) throw failure(answer, data);
  return { data, etag: answer.headers.get('ETag') };
}

async function read(answer) {
  try {
    return JSON.parse(await answer.text());
  } catch {
    return null;
  }
}

function failure(answer, data) {
  const said = typeof data?.error === 'string' ? data.error : data?.error?.error;
  const silent = answer.status === 404 ? 'missing' : answer.status >= 502 ? 'serviceUnavailable' : 'internalError';
  const retryAfter = Number(answer.headers.get('Retry-After')) || undefined;
  return new ApiError(answer.status, said ?? silent, { retryAfter, body: data });
}

let again = null;

/** Sets what asks somebody to sign in again when the token is no longer taken; it gives whether that was done. */
export const onexpired = (ask) => {
  again = ask;
};

/** The same with the token of who is signed in. Where it is no longer taken, asks to sign in again, and goes on. */
export async function mine(method, path, options = {}) {
  try {
    return await call(method, `${path}/jwt${options.query ?? ''}`, { ...options, token: session.token() });
  } catch (error) {
    const expired = error.status === 401 && error.code === 'unauthorized';
    if (!expired || !again || !(await again())) throw error;
    return call(method, `${path}/jwt${options.query ?? ''}`, { ...options, token: session.token() });
  }
}

/**
 * One intention to make something: gives the headers that let it be sent again without being made twice, for as long as `body` stays
 * the same.
 */
export function intention() {
  let [key, before] = [];
  return (body) => {
    const now = JSON.stringify(body);
    if (now !== before) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
      before = now;
    }
    return { 'Idempotency-Key': key };
  };
}
