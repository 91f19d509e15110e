// Every method of the backend of FreeSewing's React components, called from a page on another origin.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { person, set } from '../browser/support/people.js';
import { stage } from '../browser/support/stage.js';
import { call, serve, visit } from './support/react.js';

const { server, browser } = await stage();
const page = await serve();
after(page.close);

/** A picture of one pixel. */
const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const called = new Set();

/** Opens a page of that user. The result calls a method, and makes sure of the status of its response. */
async function open(user) {
  const tab = await visit(browser, page.url, server.url, user);
  const expect = async (status, method, ...given) => {
    called.add(method);
    const [found, body] = await call(tab, method, ...given);
    assert.equal(found, status, `${method}: ${JSON.stringify(body)}`);
    return body;
  };
  return { tab, expect };
}

test('a visitor signs up, signs in and subscribes', async () => {
  const { expect } = await open();
  await expect(201, 'signUp', { email: 'visitor@freesewing.dev' });
  const link = new URL(await server.link('visitor@freesewing.dev', 'confirm/signup'));
  const [id, check] = [link.searchParams.get('id'), link.searchParams.get('check')];
  assert.equal((await expect(200, 'getConfirmation', { id, check })).result, 'success');
  const signedUp = await expect(200, 'confirmSignup', { id, check, consent: 2 });
  assert.equal(signedUp.account.consent, 2);

  const jane = await person(server, 'Visits');
  assert.ok((await expect(200, 'signIn', { username: jane.name, password: 'correct horse battery' })).token);
  await expect(200, 'signIn', { username: jane.email });
  const signIn = new URL(await server.link(jane.email, 'confirm/signin'));
  const given = { id: signIn.searchParams.get('id'), check: signIn.searchParams.get('check') };
  assert.ok((await expect(200, 'signInFromLink', given)).token);
  await expect(401, 'ping');

  await expect(200, 'newsletterSubscribe', 'reader@freesewing.dev');
  const subscribe = new URL(await server.link('reader@freesewing.dev', 'newsletter/subscribe'));
  await expect(200, 'newsletterConfirmSubscribe', { id: subscribe.searchParams.get('id'), ehash: subscribe.searchParams.get('check') });
  await expect(200, 'newsletterStartUnsubscribe', 'reader@freesewing.dev');
  const unsubscribe = new URL(await server.link('reader@freesewing.dev', 'newsletter/unsubscribe'));
  await expect(204, 'newsletterUnsubscribe', unsubscribe.searchParams.get('x'));

  assert.ok((await expect(200, 'getStats')).topUsers.length >= 0);
  assert.ok((await expect(200, 'getUserCount')).users >= 2);
  assert.ok((await expect(200, 'getCuratedSets')).curatedSets.length > 10);
  await expect(200, 'getCuratedSet', 1);
  assert.equal((await expect(200, 'getUserProfile', jane.account.uuid)).profile.username, jane.name);
  // Contributions are not enabled on this instance.
  await expect(400, 'createIssue', { title: 'A title', body: 'A text' });
});

test('a user keeps sets, patterns, bookmarks and keys', async () => {
  const jane = await person(server, 'Keeps');
  const { expect } = await open(jane);
  const made = (await expect(201, 'createSet', { name: 'Mine', units: 'metric', measies: { chest: 930 } })).set;
  assert.deepEqual(made.measies, { chest: 930 });
  assert.equal((await expect(200, 'getSets')).sets.length, 1);
  const changed = await expect(200, 'updateSet', made.uuid, { public: true, img: 'default-avatar', measies: { neck: 360 } });
  assert.deepEqual(changed.set.measies, { chest: 930, neck: 360 });
  const shared = await expect(200, 'getPublicSet', made.uuid);
  assert.deepEqual((await expect(201, 'createSet', shared)).set.measies, { chest: 930, neck: 360 });
  assert.equal((await expect(200, 'getSet', made.uuid)).set.name, 'Mine');

  const pattern = { design: 'aaron', settings: { measurements: { chest: 930 } }, name: 'Shirt', data: {} };
  const stored = (await expect(201, 'createPattern', pattern)).pattern;
  await expect(200, 'updatePattern', stored.id, { public: true });
  assert.equal((await expect(200, 'getPatterns')).patterns.length, 1);
  await expect(200, 'getPattern', stored.id);
  await expect(200, 'getPublicPattern', stored.id);

  const bookmark = (await expect(201, 'createBookmark', { type: 'set', title: 'A set', url: '/sets' })).bookmark;
  await expect(200, 'getBookmark', bookmark.id);
  assert.equal((await expect(200, 'getBookmarks')).bookmarks.length, 1);
  await expect(204, 'removeBookmark', bookmark.id);

  const key = (await expect(201, 'createApikey', { name: 'script', level: 2, expiresIn: 86_400 })).apikey;
  await expect(200, 'getApikey', key.key);
  assert.equal((await expect(200, 'getApikeys')).apikeys.length, 1);
  await expect(204, 'removeApikey', key.key);

  const suggestion = { set: made.id, name: 'For curation', notes: 'A note', height: '170', img: PIXEL };
  await expect(200, 'suggestCset', suggestion);
  await expect(200, 'suggestOpack', { name: 'A pack', notes: 'A note', design: 'aaron', options: { ease: 2 } });
  await expect(204, 'removePattern', stored.id);
  await expect(204, 'removeSet', made.uuid);
});

test('a user changes the account', async () => {
  const jane = await person(server, 'Changes');
  const { tab, expect } = await open(jane);
  assert.equal((await expect(200, 'ping')).account.username, jane.name);
  await expect(200, 'reloadAccount');
  await expect(200, 'updateAccount', { bio: 'I sew' });
  await expect(200, 'getUserData', jane.account.uuid);
  const found = (await expect(200, 'findUserProfiles', 'chang')).profiles;
  assert.equal(found[jane.id].username, jane.name);
  for (const [method, given] of [['isUsernameAvailable', 'a free name'], ['isSlugAvailable', { slug: 'a-slug', type: 'blog' }], ['isPostSlugAvailable', { slug: 'a-slug', type: 'blog' }]]) {
    called.add(method);
    const free = await call(tab, method, given);
    if (method === 'isUsernameAvailable') assert.equal(free.available, true);
  }
  const { mfa } = await expect(200, 'enableMfa');
  assert.ok(mfa.secret && mfa.qrcode);
  await expect(403, 'confirmMfa', { secret: mfa.secret, token: '000000' });
  await expect(401, 'disableMfa', { password: 'wrong', token: '000000' });
  await expect(200, 'updateConsent', 2);
  await expect(200, 'exportAccount');
  // Pages for the website need GitHub, which is not enabled on this instance.
  await expect(400, 'createPostPr', 'blog', { slug: 'a', title: 'b' });
  const image = (await expect(200, 'uploadImage', { type: 'blog', subId: 1, slug: 'a-slug', img: PIXEL })).imgId;
  assert.ok(image);
  const social = await expect(200, 'createSocialImage', { title: 'A day out', intro: 'With a needle', type: 'blog' });
  assert.match(social.img, /^data:image\/png;base64,/);
  await expect(403, 'removeImage', image);
  await expect(200, 'restrictAccount');
  await expect(403, 'ping');
  const gone = await person(server, 'Leaves');
  const { expect: leaves } = await open(gone);
  await leaves(200, 'removeAccount');
});

test('a curator and an administrator do their work', async () => {
  const jane = await person(server, 'Helped');
  const admin = await person(server, 'Boss', 'admin');
  const { expect } = await open(admin);
  assert.equal((await expect(200, 'adminPing', jane.token)).account.username, jane.name);
  for (const [text, property] of [[jane.email, 'ehash'], [jane.account.uuid, 'uuid'], [String(jane.id), 'id'], ['helped', 'username']]) {
    const { users } = await expect(200, 'adminSearchUsers', text);
    assert.deepEqual(users[property].map((user) => user.id), [jane.id], property);
  }
  assert.equal((await expect(200, 'adminLoadUser', jane.id)).user.username, jane.name);
  await expect(200, 'adminUpdateUser', { id: jane.id, data: { status: 1 } });
  assert.ok((await expect(200, 'adminImpersonateUser', jane.account.uuid)).token);
  assert.equal(typeof (await expect(200, 'adminLoadSubscribers')).subscribers, 'object');

  const own = await set(server, jane, { name: 'Own', measies: { chest: 900 } });
  const suggest = { token: jane.token, body: { set: own.id, name: 'Suggested', height: '165', img: PIXEL } };
  await server.call('POST', '/curated-sets/suggest/jwt', suggest);
  const suggested = (await expect(200, 'getSuggestedSets')).suggested.at(-1);
  await expect(200, 'getSuggestedPacks');
  const curated = (await expect(200, 'acceptCset', suggested.id)).curatedSet;
  await expect(200, 'updateCuratedSet', curated.id, { nameEn: 'Accepted' });
  await expect(204, 'removeCuratedSet', curated.id);
  await server.call('POST', '/curated-sets/suggest/jwt', suggest);
  const another = (await expect(200, 'getSuggestedSets')).suggested.at(-1);
  await expect(204, 'removeSuggestedSet', another.id);
});

test('no method is left out', async () => {
  const { tab } = await open();
  const all = await tab.evaluate(() => {
    const prototype = Object.getPrototypeOf(globalThis.backend);
    return Object.keys(prototype).filter((name) => typeof prototype[name] === 'function');
  });
  assert.deepEqual(all.filter((name) => !called.has(name)), []);
});
