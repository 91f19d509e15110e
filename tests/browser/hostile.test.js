// Failures: names that look like markup, expired sessions, unreachable servers, accounts that are removed elsewhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIZES, enter, inspect, open, settled, tab } from './support/browser.js';
import { PASSWORD, key, person, set } from './support/people.js';
import { stage } from './support/stage.js';

const MARKUP = '<img src=x onerror="globalThis.hit = 1"><script>globalThis.hit = 1</script>';
const LONG = 'Unbreakable'.repeat(90);

const { server, browser } = await stage();

test('markup is shown as text, and long names wrap', async () => {
  const jane = await person(server, 'Markup');
  const admin = await person(server, 'Boss', 'admin');
  const names = [MARKUP, LONG];
  const sets = [];
  const keys = [];
  for (const name of names) {
    sets.push(await set(server, jane, { name, notes: name, measies: { neck: 350 } }));
    keys.push(await key(server, jane, { name }));
  }
  await server.call('PATCH', '/account/jwt', { token: jane.token, body: { bio: MARKUP, username: `<b>${'x'.repeat(57)}</b>` } });
  jane.account = (await server.call('GET', '/account/jwt', { token: jane.token })).data.account;
  const page = await tab(browser, server, { viewport: SIZES[0] });
  await enter(page, jane);
  const places = ['keys', 'sets', 'keys/new', 'account', ...sets.map(({ uuid }) => `sets/one/${uuid}`), ...keys.map((one) => `keys/one/${one.key}`)];
  for (const place of places) {
    await open(page, place);
    await inspect(page, place);
    assert.equal(await page.evaluate(() => globalThis.hit), undefined, place);
  }
  await open(page, `sets/one/${sets[0].uuid}`);
  await page.getByRole('button', { name: 'Delete this set' }).click();
  await page.getByRole('dialog').getByText(MARKUP).waitFor();
  await inspect(page, 'a dialog with markup');
  await page.context().close();

  const boss = await tab(browser, server, { viewport: SIZES[0] });
  await enter(boss, admin);
  for (const place of ['admin/usage', `admin/user/${jane.id}`, 'admin/audit']) {
    await open(boss, place);
    await inspect(boss, place);
    assert.equal(await boss.evaluate(() => globalThis.hit), undefined, place);
  }
  await boss.context().close();
});

test('unknown addresses show an error page', async () => {
  const page = await tab(browser, server);
  await enter(page, await person(server, 'Lost'));
  for (const place of ['nowhere', 'sets/one/1', 'sets/one/%3Cb%3E', 'keys/one/..%2f..', 'keys/one/%', '<b>x</b>', 'admin/user/1']) {
    await open(page, place);
    const title = await page.getByRole('heading', { level: 1 }).textContent();
    assert.ok(['Page not found', 'This page could not be loaded'].includes(title), `${place}: ${title}`);
    assert.deepEqual(page.wrong, [], place);
  }
  await page.context().close();
});

async function editing(name) {
  const jane = await person(server, name);
  const mine = await set(server, jane, { name, measies: { neck: 350 } });
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, `sets/one/${mine.uuid}`);
  await page.getByLabel('Neck', { exact: true }).fill('36.5');
  return { jane, mine, page };
}

test('expired session asks for the password and continues', async () => {
  const { jane, mine, page } = await editing('Expired');
  await server.call('PATCH', '/account/jwt', { token: jane.token, body: { signOutEverywhere: true } });
  await page.getByRole('button', { name: 'Save' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('you are no longer signed in').or(dialog.getByText('are no longer signed in')).waitFor();
  await inspect(page, 'signing in again');
  await dialog.getByLabel('Password').fill('wrong');
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.getByText('Name, password or code is wrong').waitFor();
  await dialog.getByLabel('Password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Saved.').waitFor();
  const { data } = await server.call('POST', '/signin', { body: { username: jane.email, password: PASSWORD } });
  const { data: read } = await server.call('GET', `/sets/${mine.uuid}/jwt`, { token: data.token });
  assert.equal(read.set.measies.neck, 365);
  await page.context().close();
});

test('account removed elsewhere is reported, and the input stays', async () => {
  const { jane, page } = await editing('Removed');
  await server.call('DELETE', '/account/jwt', { token: jane.token });
  await page.getByRole('button', { name: 'Save' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('the account was closed elsewhere').waitFor();
  await dialog.getByRole('button', { name: 'Not now' }).click();
  await page.getByText('You are not signed in any more.').waitFor();
  assert.equal(await page.getByLabel('Neck', { exact: true }).inputValue(), '36.5');
  await page.context().close();
});

test('invalid stored session leads to the sign-in', async () => {
  const jane = await person(server, 'Stale');
  await server.call('PATCH', '/account/jwt', { token: jane.token, body: { signOutEverywhere: true } });
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, 'keys');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.context().close();
});

test('unreachable server is reported, and the input is saved later', async () => {
  const { jane, mine, page } = await editing('Patient');
  await server.end();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').getByText('The server is not responding.').waitFor();
  assert.equal(await page.getByLabel('Neck', { exact: true }).inputValue(), '36.5');
  await inspect(page, 'no server');
  await server.begin();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  const { data } = await server.call('GET', `/sets/${mine.uuid}/jwt`, { token: jane.token });
  assert.equal(data.set.measies.neck, 365);

  await server.end();
  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await page.getByText('This page could not be loaded').waitFor();
  await server.begin();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await settled(page);
  await page.context().close();
});

test('rate-limited calls are retried after the wait', async () => {
  const { page } = await editing('Hasty');
  let refused = 0;
  await page.route('**/measurements/check', (route) => {
    refused += 1;
    if (refused > 2) return route.continue();
    return route.fulfill({ status: 429, headers: { 'Retry-After': '1' }, json: { result: 'error', error: 'tooManyRequests' } });
  });
  await page.getByLabel('Shoulder to wrist').fill('20');
  await page.getByLabel('Shoulder to elbow').fill('30');
  await page.getByText('Shoulder to wrist is larger than Shoulder to elbow on every body').first().waitFor();
  assert.ok(refused >= 3);
  await page.context().close();
});

test('sign-in without consent asks for it first', async () => {
  const jane = await person(server, 'Unasked');
  await server.call('PATCH', '/consent/jwt', { token: jane.token, body: { consent: 0 } });
  const page = await tab(browser, server);
  await open(page, 'signin');
  await page.getByLabel('User name or e-mail address').fill(jane.email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('button', { name: 'I agree' }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await page.context().close();
});
