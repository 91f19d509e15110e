// Lists the components of @freesewing/react that call the backend, from the published code of the package.

import { parse } from '@babel/parser';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = '@freesewing/react';
const ROOT = fileURLToPath(new URL(`../node_modules/${PACKAGE}`, import.meta.url));
/** The hook with which a component gets the backend. */
const HOOK = { file: path.join(ROOT, 'hooks/useBackend/index.mjs'), name: 'useBackend' };
const ENTRIES = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).exports;

/** Returns the file of an import; nothing if another package contains it. */
function resolve(specifier, from) {
  if (specifier.startsWith('.')) return path.join(path.dirname(from), specifier);
  const entry = specifier.startsWith(`${PACKAGE}/`) && ENTRIES[`.${specifier.slice(PACKAGE.length)}`];
  return typeof entry === 'string' ? path.join(ROOT, entry) : undefined;
}

/** Adds the names that a part of the syntax tree refers to. Names of properties are not references. */
function references(node, into) {
  if (Array.isArray(node)) for (const one of node) references(one, into);
  if (typeof node?.type !== 'string') return into;
  if (node.type === 'Identifier' || node.type === 'JSXIdentifier') into.add(node.name);
  for (const [field, value] of Object.entries(node)) {
    const isName = (field === 'property' || field === 'key') && !node.computed;
    const isAttribute = node.type === 'JSXAttribute' && field === 'name';
    if (!isName && !isAttribute && typeof value === 'object') references(value, into);
  }
  return into;
}

/** Parses a module: the references of each declaration, and the origins of imported and exported names. */
function read(file) {
  const module = { declarations: new Map(), imports: new Map(), exports: new Map() };
  const { program } = parse(readFileSync(file, 'utf8'), { sourceType: 'module', plugins: ['jsx'] });
  const declare = (declaration) => {
    const names = [];
    for (const one of declaration.declarations ?? [declaration]) {
      if (!one.id?.name) continue;
      module.declarations.set(one.id.name, references(one, new Set()));
      names.push(one.id.name);
    }
    return names;
  };
  for (const node of program.body) {
    const source = node.source && resolve(node.source.value, file);
    if (node.type === 'ImportDeclaration') {
      for (const { local, imported } of node.specifiers) if (source && imported) module.imports.set(local.name, { file: source, name: imported.name });
    } else if (node.type === 'ExportNamedDeclaration' && node.declaration) {
      for (const name of declare(node.declaration)) module.exports.set(name, name);
    } else if (node.type === 'ExportNamedDeclaration') {
      for (const { local, exported } of node.specifiers) {
        if (node.source) module.imports.set(exported.name, { file: source, name: local.name });
        module.exports.set(exported.name, node.source ? exported.name : local.name);
      }
    } else if (/Declaration$/.test(node.type)) declare(node);
  }
  return module;
}

const modules = new Map();

function load(file) {
  if (!modules.has(file)) modules.set(file, read(file));
  return modules.get(file);
}

/** Whether a name of a module leads to the hook, through components and functions that it refers to. */
function callsBackend(file, name, seen) {
  if (file === HOOK.file) return name === HOOK.name;
  const id = `${file} ${name}`;
  if (seen.has(id)) return false;
  seen.add(id);
  const { declarations, imports, exports } = load(file);
  const local = declarations.has(name) || imports.has(name) ? name : exports.get(name);
  const origin = imports.get(local);
  if (origin) return callsBackend(origin.file, origin.name, seen);
  const own = [...(declarations.get(local) ?? [])].filter((one) => declarations.has(one) || imports.has(one));
  return own.some((one) => callsBackend(file, one, seen));
}

/** Returns the names of the exported components that call the backend, for example `Account/Set`. */
export function callers() {
  const found = [];
  for (const [entry, file] of Object.entries(ENTRIES)) {
    const group = entry.match(/^\.\/components\/(\w+)$/)?.[1];
    const full = group && path.join(ROOT, file);
    // The package lists entries whose files it does not contain.
    if (!full || !existsSync(full)) continue;
    const components = [...load(full).exports.keys()].filter((name) => /^[A-Z]/.test(name));
    for (const name of components) if (callsBackend(full, name, new Set())) found.push(`${group}/${name}`);
  }
  return found;
}
