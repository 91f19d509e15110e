// Takes the picture of the console for README.md: the check of a measurement set with sample data for a design.

import path from 'node:path';
import { enter, launch, open, tab } from './support/browser.js';
import { peopled } from './support/pages.js';
import { Server } from './support/server.js';

const PICTURE = path.join(import.meta.dirname, '../../docs/pictures/console.png');
const VIEWPORT = { width: 1120, height: 705 };
/** Space above the field for the unit, in pixels. */
const MARGIN = 60;

const server = await Server.start({ BACKEND_LOG: 'off' });
const browser = await launch();
try {
  const { jane, shirt } = await peopled(server);
  const page = await tab(browser, server, { viewport: VIEWPORT, colorScheme: 'light' });
  await enter(page, jane);
  await open(page, `sets/one/${shirt.uuid}`);
  await page.getByLabel('For which design?').selectOption('aaron');
  await page.getByText(/^aaron: \d+ of \d+ required measurements$/).waitFor();
  const unit = await page.getByLabel('Unit').boundingBox();
  await page.screenshot({ path: PICTURE, fullPage: true, clip: { ...VIEWPORT, x: 0, y: unit.y - MARGIN } });
} finally {
  await browser.close();
  await server.close();
}
