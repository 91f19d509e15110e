// API keys: permissions, usage, rotation, revocation.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enter, inspect, open, tab } from './support/browser.js';
import { key, person } from './support/people.js';
import { stage } from './support/stage.js';

const { server, browser } = await stage();

const basic = (id, secret) => ({ Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` });

test('key has the chosen level, expiry, scopes and addresses', async () => {
  const jane = await person(server, 'Chooser');
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, 'keys/new');
  await page.getByLabel('Name').fill('chosen');
  await page.getByRole('radio', { name: 'Read and change' }).check();
  await page.getByLabel('Valid for').selectOption({ label: '7 days' });
  await page.getByRole('radio', { name: 'Only some things' }).check();
  await page.getByRole('checkbox', { name: 'Read measurements' }).check();
  await page.getByText('More restrictions').click();
  await page.getByLabel('Allowed addresses').fill('192.0.2.0/24, nonsense');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByText('Enter IP addresses or networks, for example 192.0.2.0/24.').waitFor();
  await page.getByLabel('Allowed addresses').fill('192.0.2.0/24, 127.0.0.1');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByText('Copy it now').waitFor();
  const { data } = await server.call('GET', '/apikeys/jwt', { token: jane.token });
  const [made] = data.apikeys;
  assert.deepEqual([made.name, made.level, made.scopes, made.cidr], ['chosen', 3, ['sets:read'], ['192.0.2.0/24', '127.0.0.1/32']]);
  assert.equal(Date.parse(made.expiresAt) - Date.parse(made.createdAt), 7 * 24 * 3600 * 1000);
  await page.context().close();
});

test('levels above the own level are not offered', async () => {
  const page = await tab(browser, server);
  await enter(page, await person(server, 'Writer', 'user'));
  await open(page, 'keys/new');
  assert.equal(await page.getByRole('radio', { name: 'Administer' }).count(), 0);
  await page.context().close();
});

test('usage is listed by day, and rotation and revocation take effect', async () => {
  const jane = await person(server, 'Owner');
  const made = await key(server, jane, { name: 'used' });
  for (let count = 0; count < 3; count += 1) await server.call('GET', '/account/key', { headers: basic(made.key, made.secret) });
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, 'keys');
  await page.getByRole('row', { name: /used/ }).getByText('3', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'used' }).click();
  await page.getByText('3 calls in the last 30 days').first().waitFor();
  await page.getByText('Show as a table').click();
  assert.equal(await page.getByRole('row').count(), 2);

  await page.getByRole('button', { name: 'New secret' }).click();
  await inspect(page, 'asking for another secret');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('The old secret stays valid').selectOption({ label: 'not at all' });
  await dialog.getByRole('button', { name: 'New secret' }).click();
  await page.getByText('Copy it now').waitFor();
  const secret = await page.locator('.secret').nth(1).textContent();
  assert.notEqual(secret, made.secret);
  assert.equal((await server.call('GET', '/account/key', { headers: basic(made.key, secret) })).status, 200);
  assert.equal((await server.call('GET', '/account/key', { headers: basic(made.key, made.secret) })).status, 401);

  await page.getByRole('button', { name: 'Revoke this key' }).click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Revoke this key' }).click();
  await dialog.getByRole('button', { name: 'Revoke this key' }).click();
  await page.getByText('The key used has been revoked.').waitFor();
  assert.equal((await server.call('GET', '/account/key', { headers: basic(made.key, secret) })).status, 401);
  await page.context().close();
});

test('secret is copied to the clipboard', async () => {
  const page = await tab(browser, server, { permissions: ['clipboard-read', 'clipboard-write'] });
  await enter(page, await person(server, 'Copier'));
  await open(page, 'keys/new');
  await page.getByLabel('Name').fill('copied');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByRole('button', { name: 'Copy: Secret' }).click();
  await page.getByText('Copied: Secret.').waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^fsk_[0-9A-Za-z]{49}$/);
  await page.context().close();
});

test('key whose response was lost is created once and can be rotated', async () => {
  const jane = await person(server, 'Unlucky');
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, 'keys/new');
  let lost = false;
  await page.route('**/apikeys/jwt', async (route) => {
    if (route.request().method() !== 'POST' || lost) return route.continue();
    lost = true;
    await route.fetch();
    return route.abort();
  });
  await page.getByLabel('Name').fill('lost');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByText('The server is not responding.').waitFor();
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByText('its secret was lost on the way').waitFor();
  const { data } = await server.call('GET', '/apikeys/jwt', { token: jane.token });
  assert.equal(data.apikeys.length, 1);
  await page.getByRole('link', { name: 'Go to the key' }).click();
  await page.getByRole('button', { name: 'New secret' }).waitFor();
  await page.context().close();
});
