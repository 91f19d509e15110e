// Signing in: by password, by mail, with the second factor and with a scratch code.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect, open, signIn, tab } from './support/browser.js';
import { PASSWORD, person } from './support/people.js';
import { stage } from './support/stage.js';
import { code } from './support/totp.js';

const { server, browser } = await stage();

test('wrong password is refused, and the name stays', async () => {
  const jane = await person(server, 'Wrong');
  const page = await tab(browser, server);
  await open(page, 'signin');
  await page.getByLabel('User name or e-mail address').fill(jane.email);
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('alert').getByText('Name, password or code is wrong').waitFor();
  assert.equal(await page.getByLabel('User name or e-mail address').inputValue(), jane.email);
  await page.context().close();
});

test('requested page is shown after the sign-in', async () => {
  const jane = await person(server, 'Wanted');
  const page = await tab(browser, server);
  await open(page, 'sets');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.getByLabel('User name or e-mail address').fill(jane.name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Measurements' }).waitFor();
  await page.context().close();
});

test('link in a mail signs in once', async () => {
  await person(server, 'Linked');
  // Test addresses get no mail, so this one is outside the test domain.
  const email = 'linked@example.com';
  const made = await server.call('POST', '/signup', { body: { email, language: 'en' } });
  assert.equal(made.status, 201);
  const link = new URL(await server.link(email));
  const id = link.searchParams.get('id');
  await server.call('POST', `/confirm/signup/${id}`, { body: { consent: 1, check: link.searchParams.get('check') } });

  const page = await tab(browser, server);
  await open(page, 'signin/link');
  await page.getByLabel('User name or e-mail address').fill(email);
  await page.getByRole('button', { name: 'Send me the link' }).click();
  await page.getByText('a mail is on its way').waitFor();
  const sent = await server.link(email, 'confirm/signin');
  await page.goto(sent);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await page.context().close();

  const second = await tab(browser, server);
  await second.goto(sent);
  await second.getByRole('button', { name: 'Sign in', exact: true }).click();
  await second.getByText('A link works only once').waitFor();
  await second.context().close();
});

test('second factor, scratch code and removal work', async () => {
  const jane = await person(server, 'Factor');
  const page = await tab(browser, server);
  await signIn(page, jane);
  await page.getByRole('link', { name: 'Signing in' }).click();
  await page.getByRole('button', { name: 'Set up' }).click();
  const picture = page.getByRole('img', { name: /QR code/ });
  await picture.waitFor();
  assert.ok(await picture.evaluate((image) => image.decode().then(() => image.naturalWidth > 0)), 'the QR code is a picture');
  await inspect(page, 'setting up the second factor');
  const secret = await page.locator('.secret').textContent();
  await page.getByLabel('Code from your app').fill('000000');
  await page.getByRole('button', { name: 'Turn on' }).click();
  await page.getByText('This code is wrong.').waitFor();
  await page.getByLabel('Code from your app').fill(code(secret));
  await page.getByRole('button', { name: 'Turn on' }).click();
  await page.getByText('Keep these codes').waitFor();
  await inspect(page, 'scratch codes');
  const scratch = (await page.locator('.secret').textContent()).split('\n');
  assert.equal(scratch.length, 8);
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();

  await ask(page, jane);
  await page.getByLabel('Code from your app').fill(code(secret));
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();

  await ask(page, jane);
  await page.getByLabel('Code from your app').fill(scratch[0]);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();

  await page.getByRole('link', { name: 'Signing in' }).click();
  await page.getByText('Turn off').first().click();
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill(PASSWORD);
  await page.getByLabel('Code from your app').fill(scratch[1]);
  await page.getByRole('button', { name: 'Turn off' }).click();
  await page.getByText('The second factor is off.').waitFor();
  await page.context().close();
});

/** Signs in with the password, and reaches the question for a code. */
async function ask(page, who) {
  await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
  await page.getByLabel('User name or e-mail address').fill(who.email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('This account also requires a code.').waitFor();
}
