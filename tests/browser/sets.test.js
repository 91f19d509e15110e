// Measurement sets: units, warnings and completeness while typing, import, export, two tabs.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { enter, inspect, open, settled, tab, tabIn } from './support/browser.js';
import { person, set } from './support/people.js';
import { stage } from './support/stage.js';

const { server, browser } = await stage();

async function stored(who, { uuid }) {
  return (await server.call('GET', `/sets/${uuid}/jwt`, { token: who.token })).data.set;
}

test('unchanged values stay exact in every unit', async () => {
  const jane = await person(server, 'Exact');
  const mine = await set(server, jane, { name: 'Exact', measies: { neck: 340.123456, chest: 927.1, shoulderSlope: 13.5 } });
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, `sets/one/${mine.uuid}`);
  await page.getByLabel('Unit').selectOption('in');
  assert.equal(await page.getByLabel('Chest', { exact: true }).inputValue(), '36.5');
  assert.equal(await page.getByLabel('Shoulder slope').inputValue(), '13.5');
  await page.getByLabel('Waist', { exact: true }).fill('28 3/4');
  await page.getByLabel('Hips', { exact: true }).fill('35½');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  const now = await stored(jane, mine);
  assert.deepEqual(now.measies, { neck: 340.123456, chest: 927.1, shoulderSlope: 13.5, waist: 730.25, hips: 901.7 });
  assert.equal(now.imperial, true);
  await page.getByLabel('Waist', { exact: true }).fill('');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await page.getByText('Measurements in this set: 4').waitFor();
  assert.equal((await stored(jane, mine)).measies.waist, undefined);
  await page.context().close();
});

test('implausible values are reported while typing', async () => {
  const page = await tab(browser, server);
  await enter(page, await person(server, 'Odd'));
  await open(page, 'sets/new');
  const elbow = page.getByLabel('Shoulder to elbow');
  await elbow.fill('70');
  await page.getByLabel('Shoulder to wrist').fill('60');
  await page.getByText('Shoulder to wrist is larger than Shoulder to elbow on every body, but not here.').first().waitFor();
  await page.getByText('Please check:').waitFor();
  await inspect(page, 'a warning');
  await elbow.fill('35');
  await page.getByText('Please check:').waitFor({ state: 'detached' });

  const neck = page.getByLabel('Neck', { exact: true });
  await neck.fill('1e9');
  await page.getByText('Enter a number, for example 36 1/2.').waitFor();
  await neck.fill('99999');
  await page.getByText('No body measures that.').waitFor();
  assert.equal(await neck.getAttribute('aria-invalid'), 'true');
  await page.getByLabel('Name', { exact: true }).fill('Odd');
  await page.getByRole('button', { name: 'Save' }).click();
  // The focus moves to the invalid field.
  await page.waitForFunction((input) => input === document.activeElement, await neck.elementHandle());
  await neck.fill('38');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await page.context().close();
});

test('mix-up of units is reported', async () => {
  const page = await tab(browser, server);
  await enter(page, await person(server, 'Mixed'));
  await open(page, 'sets/new');
  await page.getByLabel('Unit').selectOption('mm');
  for (const [name, value] of [['Neck', '38.6'], ['Chest', '101.5'], ['Waist', '84.5'], ['Hips', '90.5'], ['Inseam', '79.5']]) {
    await page.getByLabel(name, { exact: true }).fill(value);
  }
  await page.getByText('All lengths look as if they were in another unit.').waitFor();
  await page.context().close();
});

test('missing measurements of a design are counted while typing', async () => {
  const page = await tab(browser, server);
  await enter(page, await person(server, 'Designer'));
  await open(page, 'sets/new');
  await page.getByLabel('For which design?').selectOption('albert');
  const { data } = await server.call('GET', '/designs/albert');
  const needed = data.design.required;
  await page.getByText(`albert: 0 of ${needed.length} required measurements`).waitFor();
  const shown = page.locator('.measure:visible');
  assert.equal(await shown.count(), needed.length + data.design.optional.length);
  const inputs = page.locator('.measure.wanted input');
  for (let number = 0; number < needed.length; number += 1) await inputs.nth(number).fill('90');
  await page.getByText(`albert: ${needed.length} of ${needed.length} required measurements`).waitFor();
  await inspect(page, 'a design that is complete');
  await page.context().close();
});

test('export is imported again, as JSON and as YAML', async () => {
  const jane = await person(server, 'Carrier');
  const mine = await set(server, jane, { name: 'Carried', measies: { neck: 350 } });
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, `sets/one/${mine.uuid}`);
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  const download = await downloading;
  assert.equal(download.suggestedFilename(), 'Carried.json');
  const file = await readFile(await download.path());

  await open(page, 'sets/import');
  await page.getByLabel('File').setInputFiles({ name: 'a.json', mimeType: 'application/json', buffer: file });
  await page.getByRole('button', { name: 'Import' }).click();
  await page.getByText('Added: 0. Already here: 1.').waitFor();
  // PowerShell writes UTF-16 with a byte order mark.
  const wide = Buffer.from(`\ufeff${file.toString().replace('Carried', 'Cärried')}`, 'utf16le');
  for (const [name, buffer] of [['little', wide], ['big', Buffer.from(wide).swap16()]]) {
    await open(page, 'sets/import');
    await page.getByLabel('File').setInputFiles({ name: `${name}.json`, mimeType: 'application/json', buffer });
    await page.waitForFunction(() => document.querySelector('textarea').value.includes('Cärried'));
  }
  await open(page, 'sets/import');
  await page.getByLabel('Text').fill('name: From YAML\nunits: cm\nmeasurements:\n  neck: 36.5\n  tail: 3\n');
  await page.getByRole('button', { name: 'Import' }).click();
  await page.getByText('Added: 1. Already here: 0. Ignored: measies.tail.').waitFor();
  await page.getByRole('link', { name: 'From YAML' }).waitFor();
  await open(page, 'sets/import');
  await page.getByLabel('Text').fill('{"name": "Bad", "measurements": {"neck": -1}}');
  await page.getByRole('button', { name: 'Import' }).click();
  await page.getByText('One of the measurements is not a number').waitFor();
  assert.match(await page.getByLabel('Text').inputValue(), /Bad/);
  await page.context().close();
});

test('second of two tabs is warned and loses nothing', async () => {
  const jane = await person(server, 'Twice');
  const mine = await set(server, jane, { name: 'Twice', measies: { neck: 350, chest: 900 } });
  const first = await tab(browser, server);
  await enter(first, jane);
  await open(first, `sets/one/${mine.uuid}`);
  const second = await tabIn(first.context());
  await enter(second, jane);
  await open(second, `sets/one/${mine.uuid}`);

  await first.getByLabel('Neck', { exact: true }).fill('36');
  await first.getByLabel('Notes').fill('From the first tab.');
  await first.getByRole('button', { name: 'Save' }).click();
  await first.getByText('Saved.').waitFor();
  await second.getByLabel('Chest', { exact: true }).fill('95');
  await second.getByRole('button', { name: 'Save' }).click();
  await second.getByText('has changed this set since you opened it').waitFor();
  await inspect(second, 'a conflict');
  assert.equal(await second.getByLabel('Chest', { exact: true }).inputValue(), '95');
  assert.deepEqual((await stored(jane, mine)).measies, { neck: 360, chest: 900 });
  await second.getByRole('button', { name: 'Overwrite with my changes' }).click();
  await second.getByText('Saved.').waitFor();
  const both = await stored(jane, mine);
  assert.deepEqual([both.measies, both.notes], [{ neck: 360, chest: 950 }, 'From the first tab.']);
  assert.equal(await second.getByLabel('Notes').inputValue(), 'From the first tab.');
  assert.equal(await second.getByLabel('Neck', { exact: true }).inputValue(), '36');

  await first.getByLabel('Neck', { exact: true }).fill('37');
  await first.getByRole('button', { name: 'Save' }).click();
  await first.getByRole('button', { name: 'Discard my changes and show the stored set' }).click();
  await settled(first);
  await first.locator('input[inputmode=decimal]').first().waitFor();
  await assertValue(first.getByLabel('Chest', { exact: true }), '95');
  await assertValue(first.getByLabel('Neck', { exact: true }), '36');
  await first.context().close();
});

async function assertValue(locator, value) {
  assert.equal(await locator.inputValue(), value);
}

test('set is copied and deleted', async () => {
  const jane = await person(server, 'Remover');
  const mine = await set(server, jane, { name: 'Original', measies: { neck: 350 } });
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, `sets/one/${mine.uuid}`);
  await page.getByRole('button', { name: 'Make a copy' }).click();
  await page.getByText('This is the copy.').waitFor();
  await page.getByRole('button', { name: 'Delete this set' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete this set' }).click();
  await page.getByText('has been deleted.').waitFor();
  const { data } = await server.call('GET', '/sets/jwt', { token: jane.token });
  assert.deepEqual(data.sets.map(({ name }) => name), ['Original']);
  await page.context().close();
});

test('page with unsaved changes asks before it is left', async () => {
  const page = await tab(browser, server);
  await enter(page, await person(server, 'Leaver'));
  await open(page, 'sets/new');
  await page.getByLabel('Neck', { exact: true }).fill('36');
  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await page.getByLabel('Neck', { exact: true }).inputValue(), '36');
  assert.ok(page.url().endsWith('#/sets/new'));
  await page.getByRole('link', { name: 'API keys', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
  await page.getByRole('heading', { level: 1, name: 'API keys' }).waitFor();
  await page.context().close();
});

test('empty notes stay empty', async () => {
  const jane = await person(server, 'Notes');
  const page = await tab(browser, server);
  await enter(page, jane);
  await open(page, 'sets/new');
  await page.getByLabel('Name', { exact: true }).fill('Without notes');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  assert.equal(await page.getByLabel('Notes').inputValue(), '');
  const { sets } = (await server.call('GET', '/sets/jwt', { token: jane.token })).data;
  assert.equal(sets.find((one) => one.name === 'Without notes').notes, '');

  const other = await set(server, jane, { name: 'By a script', measies: {} });
  assert.equal((await stored(jane, other)).notes, '--');
  await open(page, `sets/one/${other.uuid}`);
  assert.equal(await page.getByLabel('Notes').inputValue(), '');
  await page.getByLabel('Name', { exact: true }).fill('By a person');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  assert.equal((await stored(jane, other)).name, 'By a person');
  await page.context().close();
});
