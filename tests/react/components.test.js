// FreeSewing's React components, rendered on another origin than the API.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { key, person, set } from '../browser/support/people.js';
import { stage } from '../browser/support/stage.js';
import { serve, show, visit } from './support/react.js';

const { server, browser } = await stage();
const page = await serve();
after(page.close);

/** Opens a page of that user, which fails the test when a component fails. */
async function open(user, path) {
  const tab = await visit(browser, page.url, server.url, user, path);
  after(() => {
    assert.deepEqual(tab.wrong, []);
  });
  return tab;
}

async function subscribe(email) {
  await server.call('POST', '/subscriber', { body: { email, language: 'en' } });
  const link = new URL(await server.link(email, 'newsletter/subscribe'));
  const body = { id: link.searchParams.get('id'), ehash: link.searchParams.get('check') };
  await server.call('PUT', '/subscriber', { body });
}

test('a visitor sees statistics, profiles and public records', async () => {
  const jane = await person(server, 'Public');
  const mine = await set(server, jane, { name: 'Shared set', public: true, measies: { chest: 930 } });
  const pattern = { design: 'aaron', settings: { measurements: { chest: 930 } }, name: 'Shared pattern', public: true, data: {} };
  const made = await server.call('POST', '/patterns/jwt', { token: jane.token, body: pattern });
  const tab = await open();
  await show(tab, 'Stats');
  await tab.getByRole('heading', { name: 'Top Users' }).waitFor();
  await tab.getByText('Measurements Sets').first().waitFor();
  await show(tab, 'UserProfile', { uuid: jane.account.uuid });
  await tab.getByRole('heading', { name: 'Public' }).waitFor();
  await show(tab, 'PublicPattern', { uuid: made.data.pattern.uuid });
  await tab.getByText('Shared pattern').first().waitFor();
  await show(tab, 'Set', { uuid: mine.uuid, publicOnly: true });
  await tab.getByText('Shared set').first().waitFor();
  const { data } = await server.call('GET', '/curated-sets/1');
  await show(tab, 'CuratedSetLineup', {}, false, ['href']);
  await tab.getByText(data.curatedSet.nameEn).first().waitFor();
  await show(tab, 'CuratedSet', { uuid: data.curatedSet.uuid });
  await tab.getByText(data.curatedSet.nameEn).first().waitFor();
});

test('a visitor signs up, signs in and leaves the newsletter', async () => {
  const tab = await open();
  await show(tab, 'SignUp');
  await tab.getByRole('textbox').fill('component@freesewing.dev');
  await tab.getByRole('button', { name: 'Send me an invite' }).click();
  await server.link('component@freesewing.dev', 'confirm/signup');
  await person(server, 'Returns');
  await show(tab, 'SignIn');
  await tab.getByRole('textbox').first().waitFor();
  await show(tab, 'NewsletterSignup');
  await tab.getByRole('textbox').fill('reader@freesewing.dev');
  await tab.getByRole('button', { name: 'Subscribe', exact: true }).click();
  await tab.getByText('Now check your inbox').waitFor();

  await subscribe('leaves@freesewing.dev');
  await server.call('POST', '/subscriber/remove', { body: { email: 'leaves@freesewing.dev' } });
  const link = new URL(await server.link('leaves@freesewing.dev', 'newsletter/unsubscribe'));
  const leaving = await open(null, `/${link.search}`);
  await show(leaving, 'NewsletterUnsubscribe');
  await leaving.getByRole('button', { name: 'Unsubscribe' }).click();
  await leaving.getByText('is no longer subscribed').waitFor();
});

test('a user sees the account and changes it', async () => {
  const jane = await person(server, 'Account');
  await set(server, jane, { name: 'My set', measies: { chest: 930 } });
  await key(server, jane, { name: 'my script' });
  await server.call('POST', '/bookmarks/jwt', { token: jane.token, body: { type: 'set', title: 'My bookmark', url: '/sets' } });
  const pattern = { design: 'aaron', settings: { measurements: { chest: 930 } }, name: 'My pattern', data: {} };
  await server.call('POST', '/patterns/jwt', { token: jane.token, body: pattern });
  const tab = await open(jane);
  for (const [name, text] of [
    ['Sets', 'My set'],
    ['Apikeys', 'my script'],
    ['Bookmarks', 'My bookmark'],
    ['Patterns', 'My pattern'],
    ['Links', jane.email],
  ]) {
    await show(tab, name);
    await tab.locator('main').getByText(text).first().waitFor();
  }
  for (const name of ['Avatar', 'Bio', 'Codeberg', 'Compare', 'Consent', 'Control', 'Email', 'Export', 'ImportSet', 'Mastodon', 'Mfa', 'NewSet', 'Newsletter', 'OwnProfile', 'Password', 'Reload', 'Remove', 'Restrict', 'Units', 'Username', 'Website']) {
    await show(tab, name);
    await tab.locator('main *').first().waitFor();
  }
  await show(tab, 'Bio');
  await tab.getByRole('textbox').first().fill('I sew.');
  await tab.getByRole('button', { name: 'Save Bio' }).click();
  await tab.getByText('Bio updated').waitFor();
  await show(tab, 'Units');
  await tab.getByText('Imperial units (inch)').click();
  await tab.getByText('Units updated').waitFor();
  const { data } = await server.call('GET', '/account/jwt', { token: jane.token });
  assert.deepEqual([data.account.bio, data.account.imperial], ['I sew.', true]);
});

test('a file of sets is imported', async () => {
  const jane = await person(server, 'Imports');
  const tab = await open(jane);
  await show(tab, 'ImportSet');
  const sets = [{ name: 'One', units: 'metric', measurements: { chest: 930 } }, { name: 'Two', measies: { neck: 360 } }];
  await tab.locator('input[type=file]').setInputFiles({ name: 'sets.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(sets)) });
  await tab.getByText('Imported Two').waitFor();
  const { data } = await server.call('GET', '/sets/jwt', { token: jane.token });
  assert.deepEqual(data.sets.map(({ name, measies }) => [name, measies]), [['One', { chest: 930 }], ['Two', { neck: 360 }]]);
});

test('a user finds the profile of another', async () => {
  const jane = await person(server, 'Finder');
  await person(server, 'Foundling');
  const tab = await open(jane);
  await show(tab, 'UserInput', { id: 'user', label: 'User' }, true);
  await tab.getByRole('textbox').fill('found');
  await tab.getByRole('button', { name: 'Foundling' }).click();
  await tab.locator('output', { hasText: /^\d+$/ }).waitFor();
});

test('an administrator finds users and subscribers', async () => {
  const admin = await person(server, 'Boss', 'admin');
  const jane = await person(server, 'Sought');
  const tab = await open(admin);
  await show(tab, 'UserAdministration');
  for (const [text, heading] of [[jane.email, 'Current Email Address'], [jane.account.uuid, 'UUID'], ['sought', 'Username']]) {
    await tab.getByRole('textbox').fill(text);
    await tab.locator('main button').first().click();
    await tab.getByRole('heading', { name: `Results based on ${heading}` }).waitFor();
    await tab.getByRole('link', { name: 'Sought' }).waitFor();
  }
  await subscribe('subscriber@freesewing.dev');
  await show(tab, 'SubscriberAdministration');
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
