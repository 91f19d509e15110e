// The account: profile, address, password, export, removal.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { inspect, open, signIn, tab } from './support/browser.js';
import { PASSWORD, person, set } from './support/people.js';
import { stage } from './support/stage.js';

const { server, browser } = await stage();

test('profile is changed, and a taken name is reported at its field', async () => {
  const [jane, joe] = [await person(server, 'Profile'), await person(server, 'Taken')];
  const page = await tab(browser, server);
  await signIn(page, jane);
  await open(page, 'account');
  await page.getByLabel('User name').fill(joe.name);
  await page.getByLabel('About me').fill('I sew.');
  await page.getByLabel('I measure in').selectOption({ label: 'Inches (in)' });
  await page.getByRole('button', { name: 'Save' }).first().click();
  await page.getByText('This name is taken or not allowed.').waitFor();
  await page.getByLabel('User name').fill('Profile two');
  await page.getByRole('button', { name: 'Save' }).first().click();
  await page.getByText('Saved.').waitFor();
  const { data } = await server.call('GET', '/account/jwt', { token: jane.token });
  assert.deepEqual([data.account.username, data.account.bio, data.account.imperial], ['Profile two', 'I sew.', true]);
  await page.context().close();
});

test('new address is confirmed by its link, also after a sign-in', async () => {
  const jane = await person(server, 'Mover');
  const page = await tab(browser, server);
  await signIn(page, jane);
  await open(page, 'account');
  await page.getByLabel('New address').fill('moved@example.com');
  await page.getByRole('button', { name: 'Send the link' }).click();
  await page.getByText('a link is on its way to moved@example.com').waitFor();
  await page.context().close();

  const other = await tab(browser, server);
  await other.goto(await server.link('moved@example.com'));
  await other.getByLabel('User name or e-mail address').fill(jane.name);
  await other.getByLabel('Password').fill(PASSWORD);
  await other.getByRole('button', { name: 'Sign in', exact: true }).click();
  await other.getByRole('button', { name: 'Use this address' }).click();
  await other.getByText('Your address is now moved@example.com.').waitFor();
  await other.context().close();
});

test('export is a file that can be imported', async () => {
  const jane = await person(server, 'Export');
  await set(server, jane, { name: 'Mine', measies: { neck: 350 } });
  const page = await tab(browser, server);
  await signIn(page, jane);
  await open(page, 'data');
  await page.getByRole('button', { name: 'Create the file' }).click();
  const downloading = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download the file' }).click();
  const file = await (await downloading).path();
  assert.equal(JSON.parse(await readFile(file, 'utf8')).sets[0].name, 'Mine');
  await page.getByLabel('File').setInputFiles({ name: 'export.json', mimeType: 'application/json', buffer: await readFile(file) });
  await page.getByRole('button', { name: 'Import the file' }).click();
  await page.getByText('Added: 0. Already here: 1.').waitFor();
  await inspect(page, 'data');
  await page.context().close();
});

test('signing out everywhere ends other tabs', async () => {
  const jane = await person(server, 'Everywhere');
  const page = await tab(browser, server);
  await signIn(page, jane);
  await open(page, 'security');
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByText('You are signed out everywhere.').waitFor();
  const { status } = await server.call('GET', '/account/jwt', { token: jane.token });
  assert.equal(status, 401);
  await page.context().close();
});

test('password is changed', async () => {
  const jane = await person(server, 'Password');
  const page = await tab(browser, server);
  await signIn(page, jane);
  await open(page, 'security');
  await page.getByLabel('Current password').fill('wrong');
  await page.getByLabel('New password').fill('a better one by far');
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('The password or the code is wrong').waitFor();
  await page.getByLabel('Current password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByText('Your password has been changed.').waitFor();
  const body = { username: jane.name, password: 'a better one by far' };
  assert.equal((await server.call('POST', '/signin', { body })).status, 200);
  await page.context().close();
});

for (const [name, action, done, left] of [
  ['Frozen', 'Freeze my account', 'Your account is frozen.', 403],
  ['Gone', 'Delete my account', 'Your account has been deleted.', 401],
]) {
  test(`${action} requires typing the name`, async () => {
    const jane = await person(server, name);
    const page = await tab(browser, server);
    await signIn(page, jane);
    await open(page, 'data');
    await page.getByRole('button', { name: action }).click();
    const dialog = page.getByRole('dialog');
    await inspect(page, 'a question');
    assert.ok(await dialog.getByRole('button', { name: action }).isDisabled());
    await page.keyboard.press('Escape');
    assert.ok(await page.getByRole('button', { name: action }).evaluate((button) => button === document.activeElement), 'the focus returns to the button');
    await page.getByRole('button', { name: action }).click();
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
    await dialog.getByRole('button', { name: action }).click();
    await page.getByText(done).waitFor();
    const { status } = await server.call('POST', '/signin', { body: { username: jane.email, password: PASSWORD } });
    assert.equal(status, left);
    await page.context().close();
  });
}
