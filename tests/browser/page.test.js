// The page: its requests and stored data, keyboard, themes, languages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIZES, enter, open, settled, signIn, tab } from './support/browser.js';
import { pages, peopled } from './support/pages.js';
import { stage } from './support/stage.js';

/** The most that a page may transfer, in bytes. */
const MAX_TRANSFER = 150_000;

const { server, browser } = await stage();
const people = await peopled(server);

test('each page transfers less than 150 KB, from its own host only', async () => {
  let most = ['', 0];
  for (const [name, where, who] of pages(people)) {
    const page = await tab(browser, server, { locale: 'uk-UA' });
    await page.addInitScript(() => localStorage.setItem('bespoke.language', 'uk'));
    if (who) await enter(page, who);
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    let bytes = 0;
    const elsewhere = [];
    session.on('Network.loadingFinished', ({ encodedDataLength }) => {
      bytes += encodedDataLength;
    });
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== server.url && protocol !== 'data:') elsewhere.push(request.url());
    });
    await open(page, where);
    await page.waitForLoadState('networkidle');
    assert.deepEqual(elsewhere, [], name);
    assert.ok(bytes > 10_000 && bytes < MAX_TRANSFER, `${name}: ${bytes} bytes`);
    if (bytes > most[1]) most = [name, bytes];
    await page.context().close();
  }
  console.log(`the largest page is ${most[0]}: ${most[1]} bytes`);
});

test('keyboard alone suffices, and the focus moves to the next heading', async () => {
  const page = await tab(browser, server);
  await enter(page, people.jane);
  await open(page, 'keys');
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'New API key');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'the focus is visible');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'New API key' }).waitFor();
  assert.equal(await focused(), 'New API key');
  assert.equal(await page.title(), 'New API key · Bespoke');
  await page.keyboard.press('Tab');
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await page.getByText('Copy it now').waitFor();
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await page.context().close();
});

test('targets are at least 24 px', async () => {
  const page = await tab(browser, server, { viewport: SIZES[0] });
  await enter(page, people.admin);
  for (const where of ['keys', 'keys/new', 'security', 'admin/user/1', 'admin/outbox']) {
    await open(page, where);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button, select, summary, nav a, input:not([type=checkbox], [type=radio])')]
        .filter((one) => one.checkVisibility())
        .map((one) => [one.textContent || one.id, one.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 24 || height < 24)
        .map(([text]) => text),
    );
    assert.deepEqual(small, [], where);
  }
  await page.context().close();
});

test('chosen theme and language are remembered', async () => {
  const page = await tab(browser, server, { colorScheme: 'light' });
  await open(page, 'signin');
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByLabel('Theme').selectOption('dark');
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.getByLabel('Language').selectOption('de');
  await page.getByRole('heading', { name: 'Anmelden' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
  await page.reload();
  await settled(page);
  assert.equal(await ground(), dark);
  assert.equal(await page.title(), 'Anmelden · Bespoke');
  await page.context().close();
});

test('language follows the browser and falls back to English', async () => {
  for (const [locale, title] of [['fr-CA', 'Connexion'], ['nl', 'Inloggen'], ['sv', 'Sign in']]) {
    const page = await tab(browser, server, { locale });
    await open(page, 'signin');
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await page.context().close();
  }
});

test('token is deleted with the tab', async () => {
  const page = await tab(browser, server);
  await enter(page, people.jane);
  await open(page, 'keys');
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, document.cookie]));
  assert.ok(!kept.includes(people.jane.token.slice(0, 20)));
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByText('You are signed out.').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem('bespoke.session')), null);
  await page.context().close();
});

test('blocked storage is enough', async () => {
  const page = await tab(browser, server);
  await page.addInitScript(() => {
    const get = () => {
      throw new DOMException('no', 'SecurityError');
    };
    for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(globalThis, name, { get });
  });
  await signIn(page, people.jane);
  await page.getByLabel('Theme').selectOption('dark');
  await page.getByRole('link', { name: 'Measurements' }).click();
  await page.getByRole('link', { name: 'Jane, summer' }).waitFor();
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test('no script can convert text to markup', async () => {
  const page = await tab(browser, server);
  await open(page, 'signin');
  const refused = await page.evaluate(() => {
    try {
      document.body.innerHTML = '<b>x</b>';
      return false;
    } catch {
      return true;
    }
  });
  assert.ok(refused);
  await page.context().close();
});
