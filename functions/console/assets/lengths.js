// Lengths as users type and read them. The API decides whether they are plausible.

import { language } from './text.js';

/** Millimetres in one of each unit. */
const MILLIMETRES = { mm: 1, cm: 10, in: 25.4 };

/** The units, as the API names them. */
export const UNITS = Object.keys(MILLIMETRES);

const SHOWN_DIGITS = 3;
const FRACTIONS = { '¼': '1/4', '½': '1/2', '¾': '3/4', '⅛': '1/8', '⅜': '3/8', '⅝': '5/8', '⅞': '7/8', '⅓': '1/3', '⅔': '2/3' };

/** A length in another unit. */
export const convert = (value, from, to) => (value * MILLIMETRES[from]) / MILLIMETRES[to];

/** A number in the format of a field. */
export function shown(value) {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: SHOWN_DIGITS, useGrouping: false }).format(value);
}

/**
 * The number that the user has typed: with a point or a comma, or with a fraction as on a tape measure (`36 1/2`, `36½`).
 * Null for an empty text, NaN for an invalid one.
 */
export function typed(text) {
  const plain = text.replace(/[¼½¾⅛⅜⅝⅞⅓⅔]/g, (sign) => ` ${FRACTIONS[sign]}`).replace(/\s+/g, ' ').trim();
  if (plain === '') return null;
  const parts = plain.match(/^(?:(\d+(?:[.,]\d+)?|[.,]\d+)|(?:(\d+) )?(\d+)\/(\d+))$/);
  if (!parts) return NaN;
  const [, decimal, whole, above, below] = parts;
  if (decimal) return Number(decimal.replace(',', '.'));
  return Number(below) === 0 ? NaN : Number(whole ?? 0) + Number(above) / Number(below);
}
