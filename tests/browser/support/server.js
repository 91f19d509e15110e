// `bespoke serve` as a separate process with its own folder.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target');
const BINARY = process.env.BESPOKE ?? path.join(TARGET, 'debug/bespoke');

/** Cheap password hashes and test mode, so that accounts are created quickly. */
const SETTINGS = { BACKEND_PASSWORD_MEMORY_KIB: '8', BACKEND_PASSWORD_ITERATIONS: '1', BACKEND_ENABLE_TESTS: 'yes', BACKEND_RATE_LIMITS: 'off' };

/** How often a mail that has not arrived yet is looked for, and the wait between two attempts in milliseconds. */
const MOST_TRIES = 500;
const TRY_AGAIN_MS = 20;

/** A running server. */
export class Server {
  /** Starts a server on a free port. */
  static async start(settings = {}) {
    const server = new Server();
    server.folder = await mkdtemp(path.join(tmpdir(), 'bespoke-browser-'));
    server.settings = settings;
    server.port = 0;
    await server.begin();
    return server;
  }

  /** Starts the process, or starts it again on the same folder. */
  async begin() {
    const args = ['--data', this.folder, 'serve', '--port', String(this.port)];
    const env = { ...SETTINGS, ...this.settings };
    this.child = spawn(BINARY, args, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface(this.child.stdout)) {
      const port = line.match(/^Bespoke serves http:\/\/localhost:(\d+)/)?.[1];
      if (port) {
        this.port = Number(port);
        this.child.stdout.resume();
        return;
      }
    }
    throw new Error('the server does not start');
  }

  /** The URL of its API. */
  get url() {
    return `http://localhost:${this.port}`;
  }

  /** Ends the process and keeps its data. */
  async end() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  /** Ends the process and deletes its data. */
  async close() {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Calls the API; returns status and body. */
  async call(method, where, { token, body, headers = {} } = {}) {
    const sent = { ...headers, 'Content-Type': 'application/json' };
    if (token) sent.Authorization = `Bearer ${token}`;
    const answer = await fetch(`${this.url}${where}`, { method, headers: sent, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, data: text ? JSON.parse(text) : null };
  }

  /** The link to that page in the newest mail to an address. */
  async link(email, page = '') {
    return (await this.mail(email, page)).link;
  }

  /** The newest mail to an address with a link to that page: the link, and the code if the mail contains one. It waits, because a response may be sent before its mail. */
  async mail(email, page = '') {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const found = await this.mails(email, page);
      if (found.length) return found.at(-1);
      await pause(TRY_AGAIN_MS);
    }
    throw new Error(`no mail to ${email} has such a link`);
  }

  /** Oldest first. */
  async mails(email, page) {
    const folder = path.join(this.folder, 'outbox');
    const found = [];
    for (const name of (await readdir(folder)).filter((name) => name.endsWith('.eml'))) {
      const file = path.join(folder, name);
      const mail = readable(await readFile(file, 'utf8'));
      const link = mail.match(/https?:\S*check=\S+/)?.[0];
      if (link?.includes(`/${page}`) && mail.toLowerCase().includes(`to: ${email}`)) found.push([(await stat(file)).mtimeMs, { link, code: mail.match(/^\d{4}\r?$/m)?.[0].trim() }]);
    }
    found.sort(([one], [other]) => one - other);
    return found.map(([, mail]) => mail);
  }
}

/** A decoded mail. An encoded one is quoted-printable. */
function readable(mail) {
  if (!mail.includes('quoted-printable')) return mail;
  return mail.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (whole, code) => String.fromCharCode(parseInt(code, 16)));
}

export { ROOT };
