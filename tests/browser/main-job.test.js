// The main job of the console: from sign-up to a key that looks up measurements.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect, open, settled, tab } from './support/browser.js';
import { stage } from './support/stage.js';

const { server, browser } = await stage();

test('from sign-up to a key to a lookup', async () => {
  const page = await tab(browser, server);
  await page.goto('/');
  await page.getByRole('link', { name: 'Open the console' }).click();
  await settled(page);
  await page.getByRole('link', { name: 'Create an account' }).click();
  await page.getByRole('heading', { name: 'Create an account' }).waitFor();
  await page.getByLabel('E-mail address').fill('jane@example.com');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByText('A mail is on its way to jane@example.com').waitFor();

  await page.goto(await server.link('jane@example.com'));
  await page.getByRole('heading', { name: 'Confirm your account' }).waitFor();
  await page.getByRole('radio', { name: 'My account and my measurements' }).check();
  await page.getByLabel('New password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Confirm my account' }).click();
  await page.getByText('Welcome! Your account is ready.').waitFor();
  assert.equal(new URL(page.url()).search, '', 'the address no longer contains the link of the mail');

  await page.getByRole('link', { name: 'Measurements' }).click();
  await page.getByRole('link', { name: 'New set' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Jane');
  await page.getByLabel('Neck', { exact: true }).fill('34,5');
  await page.getByLabel('Chest', { exact: true }).fill('92 1/2');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();

  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await page.getByRole('link', { name: 'New API key' }).click();
  await page.getByLabel('Name').fill('my script');
  await page.getByRole('radio', { name: 'One set of measurements' }).check();
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByText('Copy it now').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Your new secret');
  await inspect(page, 'a new secret');
  const [key, secret] = await page.locator('.secret').allTextContents();

  const looked = await lookUp(key, secret);
  assert.deepEqual(looked.measurements, { neck: 345, chest: 925 });
  await page.getByRole('link', { name: 'I have copied it' }).click();
  const row = page.getByRole('row', { name: 'my script' });
  await row.waitFor();
  assert.ok(!(await page.content()).includes(secret), 'the secret is shown once');
  await page.getByRole('link', { name: 'my script' }).click();
  await page.getByText('calls in the last 30 days').first().waitFor();
  await page.context().close();
});

async function lookUp(key, secret) {
  const headers = { Authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}` };
  // The page of a key for one set shows the name of the set.
  const whoami = await server.call('GET', '/whoami/key', { headers });
  assert.equal(whoami.status, 200);
  const read = await server.call('GET', `/apikeys/${key}/key`, { headers });
  assert.equal(read.status, 403);
  const uuid = whoami.data.apikey.scopes[0].split(':')[1];
  const { status, data } = await server.call('GET', `/sets/${uuid}/measurements/key`, { headers });
  assert.equal(status, 200);
  return data;
}

test('used link is reported with a next step', async () => {
  const page = await tab(browser, server);
  await page.goto(await server.link('jane@example.com'));
  await page.getByLabel('New password').fill('another password');
  await page.getByRole('button', { name: 'Confirm my account' }).click();
  await page.getByText('A link works only once').waitFor();
  assert.equal(await page.getByLabel('New password').inputValue(), 'another password');
  await page.context().close();
});

test('invalid address is reported at its field', async () => {
  const page = await tab(browser, server);
  await open(page, 'signup');
  const field = page.getByLabel('E-mail address');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByText('This field is required.').waitFor();
  await field.fill('jane');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByText('Enter a valid e-mail address.').waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  const described = await field.evaluate((input) => document.getElementById(input.getAttribute('aria-describedby')).textContent);
  assert.equal(described, 'Enter a valid e-mail address.');
  assert.ok(await field.evaluate((input) => input === document.activeElement));
  await inspect(page, 'a field with an error');
  await page.context().close();
});
