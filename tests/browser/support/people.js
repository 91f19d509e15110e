// Accounts, created over HTTP.

/** The password of each account. */
export const PASSWORD = 'correct horse battery';

/** Creates an account with a password. */
export async function person(server, name, role = 'user') {
  const email = `${name.toLowerCase()}@freesewing.dev`;
  const signup = await server.call('POST', '/signup', { body: { email, language: 'en', test: true, role } });
  const path = `/confirm/signup/${signup.data.confirmation}`;
  const { data } = await server.call('POST', path, { body: { consent: 2 } });
  const changed = await server.call('PATCH', '/account/jwt', { token: data.token, body: { password: PASSWORD, username: name } });
  return { name, email, token: data.token, id: data.account.id, account: changed.data.account };
}

/** Creates a measurement set of an account. */
export async function set(server, { token }, body) {
  const { data } = await server.call('POST', '/sets/jwt', { token, body });
  return data.set;
}

/** Creates an API key of an account. */
export async function key(server, { token }, body = {}) {
  const { data } = await server.call('POST', '/apikeys/jwt', { token, body: { name: 'script', level: 2, expiresIn: 86_400, ...body } });
  return data.apikey;
}
