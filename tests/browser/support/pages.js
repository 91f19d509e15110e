// All pages of the console, and accounts with sample data.

import { key, person, set } from './people.js';

const BODY = {
  neck: 386, chest: 1010, waist: 845, hips: 900, seat: 1010, inseam: 790, waistToFloor: 1090, shoulderToWrist: 640, shoulderSlope: 12.8,
  shoulderToElbow: 655, biceps: 335,
};

/** Fills an installation with sample data and returns its accounts. */
export async function peopled(server) {
  const jane = await person(server, 'Jane');
  const admin = await person(server, 'Root', 'admin');
  const shirt = await set(server, jane, { name: 'Jane, summer', notes: 'Measured in July.', measies: BODY });
  await set(server, jane, { name: 'Little brother', public: true, measies: { neck: 310, chest: 720 } });
  const script = await key(server, jane, { name: 'pattern runner', scopes: [`set:${shirt.uuid}:read`, 'account:read'] });
  await key(server, jane, { name: 'backup', expiresIn: 3600 * 24 * 30, cidr: ['192.0.2.0/24'] });
  const basic = Buffer.from(`${script.key}:${script.secret}`).toString('base64');
  for (let count = 0; count < 5; count += 1) {
    await server.call('GET', `/sets/${shirt.uuid}/key`, { headers: { Authorization: `Basic ${basic}` } });
  }
  await server.call('PATCH', `/admin/user/${jane.id}/jwt`, { token: admin.token, body: { quota: 5000 } });
  return { jane, admin, shirt, script };
}

/** The pages: name, path, and the account that opens it. */
export function pages({ jane, admin, shirt, script }) {
  const link = 'id=11111111-1111-4111-8111-111111111111&check=abc&state=begun&code=abc';
  const open = ['signin', 'signup', 'signin/link'].map((path) => [path.replace('/', '-'), path, null]);
  const linked = ['confirm/signup', 'confirm/signin', 'confirm/emailchange', 'newsletter/subscribe', 'newsletter/unsubscribe', 'signin/callback/github'];
  const mine = ['keys', 'keys/new', 'sets', 'sets/new', 'sets/import', 'account', 'security', 'data', 'consent'];
  const theirs = ['admin/users', 'admin/usage', 'admin/outbox', 'admin/audit'];
  return [
    ...open,
    ...linked.map((path) => [path.replaceAll('/', '-'), `/console/${path}?${link}`, null]),
    ...mine.map((path) => [path.replace('/', '-'), path, jane]),
    ['key', `keys/one/${script.key}`, jane],
    ['set', `sets/one/${shirt.uuid}`, jane],
    ['nowhere', 'nowhere', jane],
    ...theirs.map((path) => [path.replace('/', '-'), path, admin]),
    ['admin-user', `admin/user/${jane.id}`, admin],
  ];
}
