// Bundles FreeSewing's React components for a browser.

import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** The packages of FreeSewing that are bundled. The others are not published, or contain single designs, of which the tests draft none. */
const BUNDLED = /^@freesewing\/(config|i18n|react(\/.*)?|utils)$/;

/** The exports of the unpublished collection of designs that the components import. */
const COLLECTION = `
export const collection = ['aaron', 'brian'];
export const designs = {};
export const i18n = { aaron: { en: { t: 'Aaron', d: '', o: {}, s: {} } }, brian: { en: { t: 'Brian', d: '', o: {}, s: {} } } };
export const measurements = { aaron: ['chest', 'hips'], brian: ['chest'] };
export const requiredMeasurements = measurements;
export const optionalMeasurements = { aaron: [], brian: [] };
export const [about, tags, techniques, examples] = [{}, {}, {}, {}];
`;

const absent = {
  name: 'absent packages',
  setup(context) {
    context.onResolve({ filter: /^@freesewing\// }, ({ path: name }) => (BUNDLED.test(name) ? undefined : { path: name, namespace: 'absent' }));
    context.onLoad({ filter: /.*/, namespace: 'absent' }, ({ path: name }) => {
      if (name === '@freesewing/collection') return { contents: COLLECTION };
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
