// Accounts, made over HTTP.

/** The password of everybody. */
export const PASSWORD = 'correct horse battery';

/** Somebody with an account and a password. */
export async function person(server, name, role = 'user') {
  const email = `${name.toLowerCase()}@freesewing.dev`;
  const signup = await server.call('POST', '/signup', { body: { email, language: 'en', test: true, role } });
  const path = `/confirm/signup/${signup.data.confirmation}`;
  const { data } = await server.call('POST', path, { body: { consent: 2 } });
  const changed = await server.call('PATCH', '/account/jwt', { token: data.token, body: { password: PASSWORD, username: name } });
  return { name, email, token: data.token, id: data.account.id, account: changed.data.account };
}

/** A set of somebody's. */
export async function set(server, { token }, body) {
  const { data } = await server.call('POST', '/sets/jwt', { token, body });
  return data.set;
}

/** An API key of somebody's. */
export async function key(server, { token }, body = {}) {
  const { data } = await server.call('POST', '/apikeys/jwt', { token, body: { name: 'script', level: 2, expiresIn: 86_400, ...body } });
  return data.apikey;
}
