// A page on another origin than the API, with FreeSewing's React components.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { tabIn, SIZES } from '../../browser/support/browser.js';
import { bundle } from './bundle.js';

const HTML = '<!doctype html><html lang="en"><title>Components</title><div id="root"></div><script type="module" src="/page.js"></script></html>';

/** Serves the page. Returns its URL, and a function that stops the server. */
export async function serve() {
  const script = await bundle();
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isScript ? script : HTML);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Opens the page for a user who is signed in, or for a visitor. */
export async function visit(browser, page, api, user, path = '/') {
  const context = await browser.newContext({ locale: 'en-GB', viewport: SIZES[1] });
  await context.addInitScript(
    ([url, token, account]) => {
      globalThis.API = url;
      if (token) localStorage.setItem('fs-token', JSON.stringify(token));
      if (account) localStorage.setItem('fs-account', JSON.stringify({ ...account, control: 5 }));
    },
    [api, user?.token, user?.account],
  );
  // Pictures and fonts of other websites are not needed.
  await context.route((url) => ![api, page].includes(url.origin), (route) => route.abort());
  const tab = await tabIn(context);
  tab.on('response', (response) => {
    const isRefused = response.url().startsWith(api) && response.status() >= 400;
    // A free name is a 404.
    const isFree = response.status() === 404 && response.url().startsWith(`${api}/available/`);
    if (isRefused && !isFree) tab.refused.push(`${response.status()} ${response.request().method()} ${response.url()}`);
  });
  tab.refused = [];
  await tab.goto(`${page}${path}`);
  await tab.waitForFunction(() => globalThis.ready);
  await render(tab, 'Account/UserId', { id: 1 });
  await tab.waitForFunction(() => globalThis.backend);
  return tab;
}

/** The names of the components that `show` has rendered. */
export const shown = new Set();

/** Renders a component, for example `Account/Set`. `links` names the properties that are functions which return a link. */
export async function show(tab, name, properties = {}, isField = false, links = []) {
  shown.add(name);
  await render(tab, name, properties, isField, links);
}

async function render(tab, name, properties = {}, isField = false, links = []) {
  const given = [name, properties, isField, links];
  await tab.evaluate(([component, values, field, names]) => {
    const functions = names.map((link) => [link, () => '/linked']);
    globalThis.show(component, { ...values, ...Object.fromEntries(functions) }, field);
  }, given);
}

/** Calls a method of the backend. Returns status and body. */
export function call(tab, method, ...given) {
  return tab.evaluate(([name, values]) => globalThis.backend[name](...values), [method, given]);
}
