// A headless Chromium, and the checks that each test makes on each page.

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
/** The folder of the screenshots. */
const PICTURES = process.env.PICTURES ?? path.join(ROOT, 'target/browser');
/** The longest wait for a page, in milliseconds. It is reached only on a failure. */
const LIMIT_MS = 20_000;

/** The tested widths: a small phone and a desktop. */
export const SIZES = [
  { width: 360, height: 740 },
  { width: 1280, height: 900 },
];

/** Starts the browser. */
export function launch() {
  // Its sandbox does not work for root in a container, and it opens only our own pages.
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A tab with its own session. It fails if a script fails or the policy of the page blocks something. */
export async function tab(browser, server, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: SIZES[1], reducedMotion: 'reduce', baseURL: server.url, ...options });
  return tabIn(context);
}

/** Another tab of the same session. */
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

/** Opens a page of the console, and waits until it is rendered. */
export async function open(page, path) {
  const below = path.startsWith('/') ? path : `/console/#/${path}`;
  await page.goto(below);
  await settled(page);
}

/** Waits until a page is rendered. */
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

/** Puts the session of an account into the tab, without the form. */
export async function enter(page, who) {
  await page.addInitScript((session) => {
    if (!sessionStorage.getItem('entered')) sessionStorage.setItem('bespoke.session', session);
    sessionStorage.setItem('entered', 'yes');
  }, JSON.stringify({ token: who.token, account: who.account }));
}

/** Checks that axe finds nothing, nothing is wider than the window, and nothing has failed; saves a screenshot. */
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
