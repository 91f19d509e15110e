// A headless Chromium, and what every test asks of every page.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { PASSWORD } from './people.js';
import { ROOT } from './server.js';

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Where pictures are put. */
const PICTURES = process.env.PICTURES ?? path.join(ROOT, 'target/browser');
/** What a page may take, in milliseconds: reached only when something is wrong. */
const LIMIT_MS = 20_000;

/** Widths that are looked at: a small phone and a desk. */
export const SIZES = [
  { width: 360, height: 740 },
  { width: 1280, height: 900 },
];

/** Starts the browser. */
export function launch() {
  // Its sandbox does not work for root in a container, and the pages are our own.
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A tab of its own session. It fails when a script fails or the policy of the page refuses something. */
export async function tab(browser, server, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: SIZES[1], reducedMotion: 'reduce', baseURL: server.url, ...options });
  return tabIn(context);
}

/** Another tab beside one. */
export async function tabIn(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.wrong = [];
  page.on('pageerror', (error) => page.wrong.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Trusted|Refused to/i.test(message.text())) page.wrong.push(message.text());
  });
  return page;
}

/** Opens a page of the console, and waits until it stands. */
export async function open(page, path) {
  const below = path.startsWith('/') ? path : `/console/#/${path}`;
  await page.goto(below);
  await settled(page);
}

/** Waits until a page stands. */
export async function settled(page) {
  await page.locator('main:not([aria-busy]) h1').waitFor();
}

/** Signs in through the form. */
export async function signIn(page, who) {
  await open(page, 'signin');
  await page.getByLabel('User name or e-mail address').fill(who.email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
}

/** Puts somebody's session into the tab, without the form. */
export async function enter(page, who) {
  await page.addInitScript((session) => {
    if (!sessionStorage.getItem('entered')) sessionStorage.setItem('bespoke.session', session);
    sessionStorage.setItem('entered', 'yes');
  }, JSON.stringify({ token: who.token, account: who.account }));
}

/** Makes sure that axe finds nothing, that nothing is wider than the window, and that nothing has failed; takes a picture to look at. */
export async function inspect(page, what) {
  const name = what.replace(/[^\w-]+/g, '-').slice(0, 60);
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true });
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`);
  assert.deepEqual(found, [], `${what}: ${found.join('\n\n')}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${what} is ${wide} px wider than the window`);
  assert.deepEqual(page.wrong, [], what);
}
