// Administration: users, busiest accounts, pending mails, audit.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enter, inspect, open, tab } from './support/browser.js';
import { key, person } from './support/people.js';
import { stage } from './support/stage.js';

// The mail server is unreachable, so mails stay pending.
// The mail server is unreachable, so mails stay pending.
const { server, browser } = await stage({ BACKEND_SMTP_URL: 'smtp://127.0.0.1:1', BACKEND_LOG: 'off' });
const admin = await person(server, 'Boss', 'admin');

async function asAdmin(path) {
  const page = await tab(browser, server);
  await enter(page, admin);
  await open(page, path);
  return page;
}

test('users are found, changed and audited, and their keys revoked', async () => {
  const jane = await person(server, 'Jane');
  const made = await key(server, jane);
  const page = await asAdmin('admin/users');
  await page.getByLabel('Name or address').fill('nobody@example.com');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText('No users found.').waitFor();
  await page.getByLabel('Name or address').fill(jane.email);
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: 'Jane' }).click();
  await page.getByLabel('Role').selectOption({ label: 'Curator' });
  await page.getByLabel('Calls a day with one key').fill('many');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Enter a whole number.').waitFor();
  await page.getByLabel('Calls a day with one key').fill('42');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  const { data } = await server.call('GET', `/admin/user/${jane.id}/jwt`, { token: admin.token });
  assert.deepEqual([data.user.role, data.quota], ['curator', 42]);

  await page.getByRole('button', { name: 'Revoke all API keys' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke all API keys' }).click();
  await page.getByText('The keys have been revoked.').waitFor();
  const Authorization = `Basic ${Buffer.from(`${made.key}:${made.secret}`).toString('base64')}`;
  assert.equal((await server.call('GET', '/account/key', { headers: { Authorization } })).status, 401);

  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
  const acts = await page.locator('tbody code').allTextContents();
  for (const act of ['users.update', 'apikeys.delete', 'users.read']) assert.ok(acts.includes(act), act);
  await page.getByText('Show').first().click();
  await inspect(page, 'the audit');
  await page.context().close();
});

test('busiest accounts are listed', async () => {
  const busy = await person(server, 'Busy');
  const made = await key(server, busy, { name: 'busy script' });
  const Authorization = `Basic ${Buffer.from(`${made.key}:${made.secret}`).toString('base64')}`;
  for (let count = 0; count < 7; count += 1) await server.call('GET', '/account/key', { headers: { Authorization } });
  const page = await asAdmin('admin/usage');
  await page.getByRole('row', { name: 'busy script Busy 7 0' }).waitFor();
  await page.context().close();
});

test('pending mails are listed and retried', async () => {
  await server.call('POST', '/signup', { body: { email: 'waits@example.com', language: 'en' } });
  const page = await asAdmin('admin/outbox');
  const row = page.getByRole('row', { name: /waits@example.com signup pending/ });
  await row.waitFor();
  await row.getByRole('button', { name: 'Retry now' }).click();
  await page.getByText('The mail is being sent again.').waitFor();
  await page.context().close();
});

test('audit is paged', async () => {
  const jane = await person(server, 'Often');
  for (let count = 0; count < 55; count += 1) await server.call('GET', `/admin/user/${jane.id}/jwt`, { token: admin.token });
  const page = await asAdmin('admin/audit');
  assert.equal(await page.locator('tbody tr').count(), 50);
  await page.getByRole('button', { name: 'Older entries' }).click();
  await page.locator('tbody tr').nth(54).waitFor();
  await page.context().close();
});

test('users without the role see no administration', async () => {
  const page = await tab(browser, server);
  await enter(page, await person(server, 'Curious'));
  await open(page, 'keys');
  assert.equal(await page.getByRole('link', { name: 'Audit' }).count(), 0);
  await open(page, 'admin/audit');
  await page.getByText('You are not allowed to do this.').waitFor();
  await page.context().close();
});
