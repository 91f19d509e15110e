// Calls to the API of the same origin.

import * as session from './session.js';

const ROOT = new URL('../', import.meta.url);

/** A failed call: `code` is the error code of the API, `unreachable` if there was no response, or `missing` for a missing record. */
export class ApiError extends Error {
  constructor(status, code, { retryAfter, body } = {}) {
    super(code);
    Object.assign(this, { status, code, retryAfter, body });
  }
}

/** The URL of an API path. */
export const url = (path) => new URL(path.replace(/^\//, ''), ROOT);

/**
 * Calls the API. `body` is sent as JSON, or unchanged with `type`. Returns `{ data, etag }`.
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

/** Sets the function that asks the user to sign in again when the token is rejected. It returns whether the user did. */
export const onexpired = (ask) => {
  again = ask;
};

/** Calls the API with the token of the session. If the token is rejected, asks the user to sign in again, and repeats the call. */
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
 * An operation that creates something: returns the headers with which it can be repeated without creating it twice, as long as `body`
 * stays the same.
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
