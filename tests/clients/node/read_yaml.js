// Reads YAML from standard input with the package that the first argument names, and prints JSON. A value that JSON does not have, such as a
// date, becomes an object, so that it differs from every text.
import { readFileSync } from 'node:fs'

const { load } = await import(process.argv[2])
const plain = (value) => {
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Date || (value !== value && typeof value === 'number')) return { unexpected: String(value) }
  if (value instanceof Object) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
  return value
}
process.stdout.write(JSON.stringify(plain(load(readFileSync(0, 'utf8')))))
