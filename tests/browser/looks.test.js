// Every page in both themes and sizes: axe reports nothing, nothing is too wide, and a screenshot is saved.

import { test } from 'node:test';
import { SIZES, enter, inspect, open, tab } from './support/browser.js';
import { pages, peopled } from './support/pages.js';
import { stage } from './support/stage.js';

const THEMES = ['light', 'dark'];
const LANGUAGES = ['de', 'es', 'fr', 'nl', 'uk'];

// The mail server is unreachable, so there are pending mails to show.
const { server, browser } = await stage({
  BACKEND_SMTP_URL: 'smtp://127.0.0.1:1',
  BACKEND_LOG: 'off',
  BACKEND_ENABLE_OAUTH_GITHUB: 'yes',
  BACKEND_OAUTH_GITHUB_CLIENT_ID: 'x',
  BACKEND_OAUTH_GITHUB_CLIENT_SECRET: 'y',
});
await server.call('POST', '/signup', { body: { email: 'waits@example.com', language: 'en' } });
const all = pages(await peopled(server));

async function walk({ language, ...options }, name) {
  for (const who of new Set(all.map(([, , owner]) => owner))) {
    const page = await tab(browser, server, options);
    if (language) await page.addInitScript((code) => localStorage.setItem('bespoke.language', code), language);
    await page.addInitScript(() => sessionStorage.setItem('bespoke.oauth', 'begun'));
    if (who) await enter(page, who);
    for (const [title, where] of all.filter(([, , owner]) => owner === who)) {
      await open(page, where);
      await inspect(page, `${title}-${name}`);
    }
    await page.context().close();
  }
}

for (const colorScheme of THEMES) {
  for (const viewport of SIZES) {
    const name = `${viewport.width}-${colorScheme}`;
    test(`every page passes the checks, ${name}`, () => walk({ colorScheme, viewport }, name));
  }
}

for (const language of LANGUAGES) {
  test(`every page in ${language} fits a small phone`, () => walk({ language, viewport: SIZES[0] }, language));
}
