// Bundles FreeSewing's React components for a browser.

import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** Whether a package of FreeSewing is installed. The others are not published, or contain designs and plugins that the tests do not use. */
const isInstalled = (name) => existsSync(path.join(HERE, '../node_modules', ...name.split('/').slice(0, 2)));

/** The exports of the unpublished collection of designs that the components import. */
const COLLECTION = `
import { Aaron } from '@freesewing/aaron';
export const collection = ['aaron', 'brian'];
export const designs = { aaron: Aaron };
export const i18n = { aaron: { en: { t: 'Aaron', d: '', o: {}, s: {} } }, brian: { en: { t: 'Brian', d: '', o: {}, s: {} } } };
export const measurements = { aaron: ['chest', 'hips'], brian: ['chest'] };
export const requiredMeasurements = measurements;
export const optionalMeasurements = { aaron: [], brian: [] };
export const [about, tags, techniques, examples] = [{}, {}, {}, {}];
`;

/** Packages that the components import without declaring them: parts of the website, and a decoder that only exports use. */
const UNDECLARED = /^(@docusaurus\/theme-common|@theme\/.*|he)$/;

const absent = {
  name: 'absent packages',
  setup(context) {
    context.onResolve({ filter: UNDECLARED }, ({ path: name }) => ({ path: name, namespace: 'absent' }));
    context.onResolve({ filter: /^@freesewing\// }, ({ path: name }) => (isInstalled(name) ? undefined : { path: name, namespace: 'absent' }));
    context.onLoad({ filter: /.*/, namespace: 'absent' }, ({ path: name }) => {
      if (name === '@freesewing/collection') return { contents: COLLECTION, resolveDir: HERE };
      if (name === '@docusaurus/theme-common') return { contents: "export const useColorMode = () => ({ colorMode: 'light' });" };
      // CommonJS, because its names need not be known in advance.
      return { contents: 'module.exports = new Proxy({}, { get: (_, name) => (name === "__esModule" ? false : {}) });' };
    });
  },
};

/** Bundles the page. Returns its script. */
export async function bundle() {
  const result = await build({
    entryPoints: [path.join(HERE, 'page.js')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    // The package uses JSX in files that end in .mjs, and classic React.
    loader: { '.mjs': 'jsx', '.js': 'jsx' },
    jsx: 'transform',
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    alias: { fs: path.join(HERE, 'empty.js'), stream: path.join(HERE, 'empty.js'), zlib: path.join(HERE, 'empty.js'), crypto: path.join(HERE, 'empty.js') },
    plugins: [absent],
    logLevel: 'error',
  });
  return result.outputFiles[0].text;
}
