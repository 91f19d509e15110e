// Takes the picture of the console for README.md: a measurement set with sample data.

import path from 'node:path';
import { enter, launch, open, tab } from './support/browser.js';
import { peopled } from './support/pages.js';
import { Server } from './support/server.js';

const PICTURE = path.join(import.meta.dirname, '../../docs/pictures/console.png');
const VIEWPORT = { width: 1120, height: 720 };

const server = await Server.start({ BACKEND_LOG: 'off' });
const browser = await launch();
try {
  const { jane, shirt } = await peopled(server);
  const page = await tab(browser, server, { viewport: VIEWPORT, colorScheme: 'light' });
  await enter(page, jane);
  await open(page, `sets/one/${shirt.uuid}`);
  await page.getByText(/^Measurements in this set: /).waitFor();
  await page.screenshot({ path: PICTURE });
} finally {
  await browser.close();
  await server.close();
}
