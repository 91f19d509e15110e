// Every page in both themes and both sizes: axe finds nothing, nothing is too wide, and pictures are taken to be looked at.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { SIZES, enter, inspect, open, tab } from './support/browser.js';
import { pages, peopled } from './support/pages.js';
import { ROOT } from './support/server.js';
import { stage } from './support/stage.js';

const PICTURES = process.env.PICTURES ?? path.join(ROOT, 'target/browser');
const THEMES = ['light', 'dark'];
const LANGUAGES = ['de', 'es', 'fr', 'nl', 'uk'];

await mkdir(PICTURES, { recursive: true });
// No mail goes: so there are some to show in the outbox.
// Nobody listens there, so there are mails to show that wait.
const { server, browser } = await stage({
  BACKEND_SMTP_URL: 'smtp://127.0.0.1:1',
  BACKEND_LOG: 'off',
  BACKEND_ENABLE_OAUTH_GITHUB: 'yes',
  BACKEND_OAUTH_GITHUB_CLIENT_ID: 'x',
  BACKEND_OAUTH_GITHUB_CLIENT_SECRET: 'y',
});
await server.call('POST', '/signup', { body: { email: 'waits@example.com', language: 'en' } });
const all = pages(await peopled(server));

async function walk({ language, ...options }, name, look) {
  for (const who of new Set(all.map(([, , owner]) => owner))) {
    const page = await tab(browser, server, options);
    if (language) await page.addInitScript((code) => localStorage.setItem('bespoke.language', code), language);
    await page.addInitScript(() => sessionStorage.setItem('bespoke.oauth', 'begun'));
    if (who) await enter(page, who);
    for (const [title, where] of all.filter(([, , owner]) => owner === who)) {
      await open(page, where);
      await look(page, `${title}-${name}`);
    }
    await page.context().close();
  }
}

for (const colorScheme of THEMES) {
  for (const viewport of SIZES) {
    const name = `${viewport.width}-${colorScheme}`;
    test(`every page, ${name}`, () =>
      walk({ colorScheme, viewport }, name, async (page, what) => {
        await page.screenshot({ path: path.join(PICTURES, `${what}.png`), fullPage: true });
        await inspect(page, what);
      }));
  }
}

for (const language of LANGUAGES) {
  test(`every page in ${language} fits a small phone`, () =>
    walk({ language, viewport: SIZES[0] }, language, async (page, what) => {
      await page.screenshot({ path: path.join(PICTURES, `${what}.png`), fullPage: true });
      await inspect(page, what);
    }));
}
