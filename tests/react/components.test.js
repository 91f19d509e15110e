// FreeSewing's React components, rendered on another origin than the API. Every component that calls the backend is used once.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, test } from 'node:test';
import { key, PASSWORD, person, set } from '../browser/support/people.js';
import { stage } from '../browser/support/stage.js';
import { callers } from './support/callers.js';
import { serve, show, shown, visit } from './support/react.js';

/** A website, so that mails contain the code that the pages of sign-up and sign-in ask for. */
const WEBSITE = 'lab.example.org';
const { server, browser } = await stage({ BACKEND_WEBSITE_DOMAIN: WEBSITE });
const page = await serve();
after(page.close);

/** A picture of one pixel. */
const PIXEL = {
  name: 'pixel.png',
  mimeType: 'image/png',
  buffer: Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'),
};

const PATTERN = { design: 'aaron', settings: { measurements: { chest: 930 } }, name: 'My pattern', data: {} };

/** Opens a page of that user, which fails the test when a component or one of its calls fails. */
async function open(user, path) {
  const tab = await visit(browser, page.url, server.url, user, path);
  after(() => {
    assert.deepEqual(tab.wrong, []);
    assert.deepEqual(tab.refused, []);
  });
  return tab;
}

/** Waits for a message of the component. */
const told = (tab, text) => tab.locator('#status').getByText(text).first().waitFor();

/** Waits until the API has no records of that kind for a user. */
async function gone(kind, { token }) {
  let left;
  do {
    const { data } = await server.call('GET', `/${kind}/jwt`, { token });
    left = data[kind];
  } while (left.length > 0);
}

/** The value that the page has stored under a name. */
const stored = (tab, name) => tab.evaluate((one) => JSON.parse(localStorage.getItem(one)), name);

async function account({ token }) {
  return (await server.call('GET', '/account/jwt', { token })).data.account;
}

async function subscribe(email) {
  await server.call('POST', '/subscriber', { body: { email, language: 'en' } });
  const link = new URL(await server.link(email, 'newsletter/subscribe'));
  const body = { id: link.searchParams.get('id'), ehash: link.searchParams.get('check') };
  await server.call('PUT', '/subscriber', { body });
}

/** The present code of an authenticator app. */
function totp(secret) {
  const bits = [...secret].map((char) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(char).toString(2).padStart(5, '0')).join('');
  const bytes = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', bytes).update(counter).digest();
  const number = hash.readUInt32BE(hash.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** Types the code of a mail into its four fields. */
async function typeCode(tab, code) {
  for (const [place, digit] of [...code].entries()) await tab.getByRole('textbox').nth(place).fill(digit);
}

test('a visitor sees statistics, profiles and public records', async () => {
  const jane = await person(server, 'Public');
  const mine = await set(server, jane, { name: 'Shared set', public: true, measies: { chest: 930 } });
  const made = await server.call('POST', '/patterns/jwt', { token: jane.token, body: { ...PATTERN, name: 'Shared pattern', public: true } });
  const tab = await open();
  await show(tab, 'Stats/Stats');
  await tab.getByRole('heading', { name: 'Top Users' }).waitFor();
  await tab.getByText('Measurements Sets').first().waitFor();
  await show(tab, 'Profile/UserProfile', { uuid: jane.account.uuid });
  await tab.getByRole('heading', { name: 'Public' }).waitFor();
  await show(tab, 'PublicPattern/PublicPattern', { uuid: made.data.pattern.uuid });
  await tab.getByText('Shared pattern').first().waitFor();
  await show(tab, 'Account/Set', { uuid: mine.uuid, publicOnly: true });
  await tab.getByText('Shared set').first().waitFor();
  const { data } = await server.call('GET', '/curated-sets/1');
  await show(tab, 'CuratedSet/CuratedSetLineup', {}, false, ['href']);
  await tab.getByText(data.curatedSet.nameEn).first().waitFor();
  await show(tab, 'CuratedSet/CuratedSet', { uuid: data.curatedSet.uuid });
  await tab.getByText(data.curatedSet.nameEn).first().waitFor();
});

test('content for a role is shown to its accounts only', async () => {
  const jane = await person(server, 'Role');
  const content = { userContent: 'for users', visitorContent: 'for visitors' };
  for (const [user, text] of [[jane, 'for users'], [undefined, 'for visitors']]) {
    const tab = await open(user);
    await show(tab, 'Role/UserVisitorContent', content);
    await tab.getByText(text).waitFor();
    await show(tab, 'Role/RoleBlock', { role: 'user', children: 'the secret' });
    await tab.getByText(user ? 'the secret' : 'Authentication Required').waitFor();
    await show(tab, 'Role/RoleBlock', { role: 'admin', children: 'the secret' });
    await tab.getByText(user ? 'You lack the required role' : 'Authentication Required').waitFor();
  }
});

test('a visitor signs up and signs in with the codes of the mails', async () => {
  const tab = await open();
  await show(tab, 'SignUp/SignUp');
  await tab.getByRole('textbox').fill('component@freesewing.dev');
  await tab.getByRole('button', { name: 'Send me an invite' }).click();
  const mail = await server.mail('component@freesewing.dev', 'confirm/signup');
  const confirming = await open(null, `/${new URL(mail.link).search}`);
  await show(confirming, 'SignUp/SignUpConfirmation');
  await typeCode(confirming, mail.code);
  await confirming.getByRole('button', { name: 'Click here to give your consent' }).click();
  await confirming.getByRole('button', { name: 'Create Account' }).click();
  await confirming.waitForURL('**/welcome');
  assert.equal((await stored(confirming, 'fs-account')).email, 'component@freesewing.dev');

  const jane = await person(server, 'Returns');
  await show(tab, 'SignIn/SignIn');
  await tab.getByRole('textbox').first().fill(jane.email);
  await tab.locator('main button[type=submit], main button').first().click();
  const link = await server.mail(jane.email, 'confirm/signin');
  const returning = await open(null, `/${new URL(link.link).search}`);
  await show(returning, 'SignIn/SignInConfirmation');
  await typeCode(returning, link.code);
  await returning.waitForURL('**/account');
  assert.equal((await stored(returning, 'fs-account')).username, 'Returns');
});

test('a reader subscribes to the newsletter and leaves it by the links of the mails', async () => {
  const tab = await open();
  await show(tab, 'Newsletter/NewsletterSignup');
  await tab.getByRole('textbox').fill('reader@freesewing.dev');
  await tab.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await tab.getByText('Now check your inbox').waitFor();

  for (const [name, ask] of [
    ['leaves', (email) => server.call('POST', '/subscriber/remove', { body: { email } })],
    ['again', (email) => server.call('POST', '/subscriber', { body: { email, language: 'en' } })],
  ]) {
    const email = `${name}@freesewing.dev`;
    await subscribe(email);
    await ask(email);
    // The page of the website that the mail names, with its query.
    const link = new URL(await server.link(email, 'newsletter/unsubscribe'));
    assert.equal(link.host, WEBSITE);
    assert.ok(link.searchParams.get('x'));
    const leaving = await open(null, `${link.pathname}${link.search}`);
    await show(leaving, 'Newsletter/NewsletterUnsubscribe');
    await leaving.getByRole('button', { name: 'Unsubscribe' }).click();
    await leaving.getByText('is no longer subscribed').waitFor();
  }
});

test('a user sees and changes records', async () => {
  const jane = await person(server, 'Records');
  const mine = await set(server, jane, { name: 'My set', measies: { chest: 930 } });
  await key(server, jane, { name: 'my script' });
  const made = await server.call('POST', '/patterns/jwt', { token: jane.token, body: PATTERN });
  const tab = await open(jane);
  await show(tab, 'Account/BookmarkButton', { slug: 'set?uuid=1', title: 'My bookmark', type: 'set' });
  await tab.getByRole('button', { name: 'Bookmark this set' }).click();
  await tab.getByRole('button', { name: 'Create bookmark' }).click();
  await told(tab, 'Bookmark created');
  for (const [name, text] of [
    ['Account/Sets', 'My set'],
    ['Account/Apikeys', 'my script'],
    ['Account/Bookmarks', 'My bookmark'],
    ['Account/Patterns', 'My pattern'],
    ['Account/Links', jane.email],
  ]) {
    await show(tab, name);
    await tab.locator('main').getByText(text).first().waitFor();
  }
  await show(tab, 'Account/Set', { uuid: mine.uuid });
  await tab.getByRole('button', { name: 'Edit measurements set' }).click();
  await tab.getByRole('button', { name: 'Save measurements set' }).first().click();
  await told(tab, 'Nailed it');
  const { data } = await server.call('GET', `/sets/${mine.uuid}/jwt`, { token: jane.token });
  assert.deepEqual([data.set.name, data.set.measies], ['My set', { chest: 930 }]);
  await show(tab, 'Account/Pattern', { uuid: made.data.pattern.uuid });
  await tab.getByText('My pattern').first().waitFor();
  await tab.getByRole('button', { name: 'Edit pattern' }).click();
  await tab.getByRole('button', { name: 'Save Pattern' }).click();
  await told(tab, 'Nailed it');
  for (const [name, kind] of [['Account/Sets', 'sets'], ['Account/Patterns', 'patterns']]) {
    await show(tab, name);
    await tab.locator('main').getByText(/My (set|pattern)/).first().waitFor();
    await tab.locator('main input[type=checkbox]').last().click();
    await tab.locator('main button', { hasText: /^ ?1 / }).click();
    await gone(kind, jane);
  }
  await show(tab, 'Account/NewSet');
  await tab.getByRole('textbox').fill('Another set');
  await tab.getByRole('button', { name: 'New Measurements Set' }).click();
  await tab.waitForURL('**/account/data/sets/set?uuid=*');
});

test('a user changes the account', async () => {
  const jane = await person(server, 'Account');
  const tab = await open(jane);
  const save = (text = 'Save') => tab.locator('main').getByRole('button', { name: text }).click();
  for (const [name, values, button, message] of [
    ['Bio', ['I sew.'], 'Save Bio', 'Bio updated'],
    ['Codeberg', ['jane@codeberg.example', 'jane'], 'Save', 'Codeberg info updated'],
    ['Mastodon', ['@jane@example.org'], 'Save', 'Saved your'],
    ['Website', ['https://example.org'], 'Save', 'Saved your'],
    ['Username', ['Renamed'], 'Save Username', 'Username updated'],
  ]) {
    await show(tab, `Account/${name}`);
    for (const [place, value] of values.entries()) await tab.locator('main').getByRole('textbox').nth(place).fill(value);
    await save(button);
    await told(tab, message);
  }
  for (const [name, choice, message] of [
    ['Units', 'Imperial units (inch)', 'Units updated'],
    ['Newsletter', 'Yes, I would like', 'Preferences saved'],
    ['Compare', /^No/, 'Preferences saved'],
    ['Control', 'Keep it simple', 'Preferences updated'],
  ]) {
    await show(tab, `Account/${name}`);
    await tab.locator('main').getByText(choice).first().click();
    await told(tab, message);
  }
  const { bio, imperial, newsletter, compare, username, data } = await account(jane);
  assert.deepEqual([bio, imperial, newsletter, compare, username], ['I sew.', true, true, false, 'Renamed']);
  assert.deepEqual([data.codebergUsername, data.mastodon, data.website], ['jane', '@jane@example.org', 'https://example.org']);

  await show(tab, 'Account/Avatar');
  await tab.locator('main input[type=file]').setInputFiles(PIXEL);
  await save('Save Avatar');
  await told(tab, 'Avatar saved');
  await show(tab, 'Account/Consent');
  await tab.getByText('Share anonymized measurements as open data').click();
  await save();
  await told(tab, 'Account updated');
  await show(tab, 'Account/Export');
  await save('Export Your Data');
  await tab.getByText('available for download').waitFor();
  await show(tab, 'Account/Reload');
  await save('Reload Account Data');
  await told(tab, 'All done');
  await show(tab, 'Profile/OwnProfile');
  await tab.getByRole('heading', { name: 'Renamed' }).waitFor();
});

test('a user changes address, password and second factor', async () => {
  const jane = await person(server, 'Secure');
  const tab = await open(jane);
  await show(tab, 'Account/Password');
  await tab.locator('main input').first().fill('another password');
  await tab.locator('main').getByRole('button', { name: 'Save' }).click();
  await told(tab, 'Password updated');
  await show(tab, 'Account/Mfa');
  await tab.getByRole('button', { name: 'Set up' }).click();
  const secret = await tab.locator('main p').filter({ hasText: /^[A-Z2-7]{16,}$/ }).textContent();
  await tab.locator('main input').fill(totp(secret));
  await tab.getByRole('button', { name: 'Enable' }).click();
  await tab.getByRole('heading', { name: 'MFA Scratch Codes' }).waitFor();
  const [scratch] = (await tab.locator('main pre').textContent()).split('\n');
  await show(tab, 'Account/Mfa');
  await tab.getByRole('button', { name: 'Disable' }).click();
  await tab.locator('main input').first().fill('another password');
  await tab.locator('main input').last().fill(scratch);
  await tab.getByRole('button', { name: 'Disable' }).click();
  await told(tab, 'Settings saved');
  assert.equal((await account(jane)).mfaEnabled, false);

  await show(tab, 'Account/Email');
  await tab.locator('main').getByRole('textbox').fill('moved@freesewing.dev');
  await tab.getByRole('button', { name: 'Update Email Address' }).click();
  await tab.getByText('Please confirm this change').waitFor();
  const link = new URL(await server.link('moved@freesewing.dev', 'confirm/emailchange'));
  const confirming = await open(jane, `${link.pathname}${link.search}`);
  await show(confirming, 'Account/EmailChangeConfirmation');
  await confirming.waitForURL('**/account');
  assert.equal((await account(jane)).email, 'moved@freesewing.dev');
});

test('a user freezes or deletes the account', async () => {
  for (const [name, component] of [['Freezes', 'Account/Restrict'], ['Leaves', 'Account/Remove']]) {
    const jane = await person(server, name);
    const tab = await open(jane);
    await show(tab, component);
    // The button of both has this text.
    await tab.locator('main').getByRole('button', { name: 'Remove your FreeSewing account' }).click();
    let status;
    do {
      ({ status } = await server.call('POST', '/signin', { body: { username: jane.email, password: PASSWORD } }));
    } while (status === 200);
    assert.ok(status === 401 || status === 403, `${component}: ${status}`);
  }
});

test('files and images are sent', async () => {
  const jane = await person(server, 'Imports');
  const tab = await open(jane);
  await show(tab, 'Account/ImportSet');
  const sets = [{ name: 'One', units: 'metric', measurements: { chest: 930 } }, { name: 'Two', measies: { neck: 360 } }];
  await tab.locator('input[type=file]').setInputFiles({ name: 'sets.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(sets)) });
  await tab.getByText('Imported Two').waitFor();
  const { data } = await server.call('GET', '/sets/jwt', { token: jane.token });
  assert.deepEqual(data.sets.map(({ name, measies }) => [name, measies]), [['One', { chest: 930 }], ['Two', { neck: 360 }]]);
  for (const [name, active, found] of [['ImageInput', true, /^showcase-/], ['ActiveImageInput', undefined, /^showcase-/], ['PassiveImageInput', undefined, /^data:image\/png/]]) {
    await show(tab, `Input/${name}`, { active, imgSlug: `slug-${name.toLowerCase()}`, imgSubid: 1, label: 'Image' }, true);
    await tab.locator('main input[type=file]').setInputFiles(PIXEL);
    await tab.locator('output', { hasText: found }).waitFor();
  }
});

test('a user finds the profile of another', async () => {
  const jane = await person(server, 'Finder');
  await person(server, 'Foundling');
  const tab = await open(jane);
  await show(tab, 'Input/UserInput', { id: 'user', label: 'User' }, true);
  await tab.getByRole('textbox').fill('found');
  await tab.getByRole('button', { name: 'Foundling' }).click();
  await tab.locator('output', { hasText: /^\d+$/ }).waitFor();
});

test('an administrator finds users and subscribers', async () => {
  const admin = await person(server, 'Boss', 'admin');
  const jane = await person(server, 'Sought');
  const tab = await open(admin);
  await show(tab, 'Admin/UserAdministration');
  for (const [text, heading] of [[jane.email, 'Current Email Address'], [jane.account.uuid, 'UUID'], ['sought', 'Username']]) {
    await tab.getByRole('textbox').fill(text);
    await tab.locator('main button').first().click();
    await tab.getByRole('heading', { name: `Results based on ${heading}` }).waitFor();
    await tab.getByRole('link', { name: 'Sought' }).waitFor();
  }
  await subscribe('subscriber@freesewing.dev');
  await show(tab, 'Admin/SubscriberAdministration');
  await tab.getByRole('button', { name: 'Load Subscribers' }).click();
  await tab.getByRole('textbox').fill('subscriber@');
  await tab.locator('main button').first().click();
  await tab.getByText('subscriber@freesewing.dev').waitFor();
  await tab.getByRole('button', { name: 'Unsubscribe' }).click();
  await assert.doesNotReject(async () => {
    for (let subscribed = true; subscribed; ) {
      const { data } = await server.call('GET', '/admin/subscribers/jwt', { token: admin.token });
      subscribed = Object.values(data.subscribers).flat().some(({ email }) => email === 'subscriber@freesewing.dev');
    }
  });
});

test('the editor loads measurements and saves patterns', async () => {
  const jane = await person(server, 'Editor');
  const measies = { biceps: 300, chest: 930, hips: 950, hpsToWaistBack: 450, neck: 370, shoulderSlope: 13, shoulderToShoulder: 420, waistToArmpit: 180, waistToHips: 130, hpsToBust: 270, waist: 800 };
  const mine = await set(server, jane, { name: 'Own set', public: true, measies });
  const bookmark = { type: 'set', title: 'Marked', url: `/set?uuid=${mine.uuid}` };
  await server.call('POST', '/bookmarks/jwt', { token: jane.token, body: bookmark });
  const { data } = await server.call('GET', '/curated-sets/1');
  // The editor keeps its state in the URL.
  const tab = await open(jane, `/#s=${encodeURIComponent(JSON.stringify({ design: 'aaron', settings: {} }))}`);
  await show(tab, 'Editor/Editor');
  await tab.getByRole('heading', { name: 'Measurements', exact: true }).waitFor();
  await tab.getByText('Choose one of FreeSewing').click();
  await tab.getByText(data.curatedSet.nameEn).first().waitFor();
  await tab.getByText('the measurements sets you have bookmarked').click();
  await tab.getByText('Own set').first().waitFor();
  await tab.getByText('Load a measurements set by ID').click();
  await tab.getByRole('textbox').first().fill(String(mine.id));
  await tab.getByRole('button', { name: 'Load set' }).click();
  await tab.getByText('We have all required measurements').first().waitFor();
  await tab.getByText('Choose one of your own measurements sets').click();
  await tab.getByText('Own set').first().click();
  await tab.getByRole('button', { name: 'Draft Pattern' }).click();
  const icon = (tip) => tab.locator(`[data-tip="${tip}"] button`).first();
  await icon('Save pattern as...').click();
  await tab.getByRole('textbox').first().fill('From the editor');
  await tab.getByRole('button', { name: 'Save as new pattern' }).click();
  await tab.getByText('Pattern saved as').first().waitFor();
  await icon('Save pattern').click();
  await tab.getByText('Pattern saved', { exact: true }).first().waitFor();
  const { data: saved } = await server.call('GET', '/patterns/jwt', { token: jane.token });
  assert.deepEqual(saved.patterns.map(({ name, design, settings }) => [name, design, settings.measurements.chest]), [['From the editor', 'aaron', 930]]);
});

test('no component is left out', () => {
  assert.deepEqual(callers().filter((name) => !shown.has(name)), []);
});
