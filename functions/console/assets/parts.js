// Splits a large export into parts for the import.

/** The largest part, in bytes. AWS Lambda accepts events of 6 MB, in which each quotation mark of a body takes two bytes. */
const MAX_PART_BYTES = 2_900_000;
/** Most records in a part. The API accepts 5,000. */
const MAX_PART_RECORDS = 2_000;
/** Most commas and brackets in a part. The API counts them before it parses a body, and accepts 100,000. */
const MAX_PART_SEPARATORS = 80_000;
const LISTS = ['sets', 'patterns', 'bookmarks'];

/** Splits the text of an export into texts that the API accepts one after the other; each is an export itself. */
export function parts(text) {
  if (bytesOf(text) <= MAX_PART_BYTES && separatorsOf(text) <= MAX_PART_SEPARATORS) return [text];
  const file = read(text);
  if (!file) return [text];
  const { format, version } = file;
  const part = (content) => JSON.stringify({ format, version, ...content });
  const account = file.account === undefined ? [] : [part({ account: file.account })];
  const lists = LISTS.filter((list) => Array.isArray(file[list]));
  return [...account, ...lists.flatMap((list) => split(file[list]).map((records) => part({ [list]: records })))];
}

/** The object in the text; null if there is none, so that the API explains the error. */
function read(text) {
  try {
    const file = JSON.parse(text);
    return file && typeof file === 'object' && !Array.isArray(file) ? file : null;
  } catch {
    return null;
  }
}

function split(records) {
  const groups = [];
  let [bytes, separators] = [Infinity, 0];
  for (const record of records) {
    const text = JSON.stringify(record);
    bytes += bytesOf(text) + 1;
    separators += separatorsOf(text) + 1;
    const fits = bytes <= MAX_PART_BYTES && separators <= MAX_PART_SEPARATORS && groups.at(-1).length < MAX_PART_RECORDS;
    if (fits) {
      groups.at(-1).push(record);
    } else {
      groups.push([record]);
      [bytes, separators] = [bytesOf(text) + 1, separatorsOf(text) + 1];
    }
  }
  return groups;
}

const bytesOf = (text) => new TextEncoder().encode(text).length;
const separatorsOf = (text) => text.match(/[,[{]/g)?.length ?? 0;
