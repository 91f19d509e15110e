// The server and the browser of a test file. Both end after its tests.

import { after } from 'node:test';
import { launch } from './browser.js';
import { Server } from './server.js';

/** Starts both. */
export async function stage(settings = {}) {
  const server = await Server.start(settings);
  const open = [server];
  after(async () => {
    for (const one of open) await one.close();
  });
  const browser = await launch();
  open.unshift(browser);
  return { server, browser };
}
