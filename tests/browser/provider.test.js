// Signing in through a provider, with a new and with an existing account.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect, open, tab } from './support/browser.js';
import { provider } from './support/provider.js';
import { stage } from './support/stage.js';

const github = await provider('jane@example.com');
const { server, browser } = await stage({
  BACKEND_ENABLE_OAUTH_GITHUB: 'yes',
  BACKEND_OAUTH_GITHUB_CLIENT_ID: 'us',
  BACKEND_OAUTH_GITHUB_CLIENT_SECRET: 'secret',
  BACKEND_OAUTH_GITHUB_URL: github.url,
  BACKEND_GITHUB_API_URL: github.url,
});

async function come(page) {
  await open(page, 'signin');
  await page.getByRole('button', { name: 'Sign in with GitHub' }).click();
  await page.getByRole('heading', { name: 'Almost there' }).waitFor();
}

test('new account consents first, and signs in the same way later', async () => {
  const page = await tab(browser, server);
  await come(page);
  await inspect(page, 'back from a provider');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'I agree' }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByText('You are signed out.').waitFor();
  await come(page);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await page.context().close();
});

test('callback that this tab did not begin is rejected', async () => {
  const begun = await tab(browser, server);
  await come(begun);
  const other = await tab(browser, server);
  await other.goto(begun.url());
  await other.getByText('This sign-in took too long or has already been used.').waitFor();
  assert.equal(await other.getByRole('button', { name: 'Sign in', exact: true }).count(), 0);
  await begun.context().close();
  await other.context().close();
});
