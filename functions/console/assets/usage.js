// Calls by day: a bar chart, and a table.

import { el, svg } from './dom.js';
import { table } from './table.js';
import { day, number, t } from './text.js';

const HEIGHT = 80;
const STEP = 12;
const DAY_MS = 86_400_000;

/** Number of days that are shown. */
export const DAYS = 30;

/** The last days, ending today. The response omits days without calls. */
function days(usage) {
  const known = new Map(usage.map((one) => [one.day.slice(0, 10), one]));
  const today = Date.now();
  return Array.from({ length: DAYS }, (_, back) => {
    const date = new Date(today - (DAYS - 1 - back) * DAY_MS).toISOString().slice(0, 10);
    return known.get(date) ?? { day: date, calls: 0, refused: 0 };
  });
}

/** The calls of the last days. */
export function usageOf(report) {
  const all = days(report.usage);
  const most = Math.max(1, ...all.map((one) => one.calls));
  const bars = all.map((one, position) => {
    const height = Math.max(1, Math.round((one.calls / most) * HEIGHT));
    return svg('rect', { x: position * STEP, y: HEIGHT - height, width: STEP - 3, height });
  });
  const total = t('usage.total', { calls: number(report.calls), days: DAYS });
  const chart = svg('svg', { class: 'bars', viewBox: `0 0 ${DAYS * STEP} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': total }, bars);
  const rows = all.filter((one) => one.calls > 0).reverse();
  const columns = [
    [t('usage.day'), (one) => day(one.day)],
    [t('usage.calls'), (one) => number(one.calls)],
    [t('usage.refused'), (one) => number(one.refused)],
  ];
  const details = table({ caption: t('usage.title'), columns, rows, empty: t('usage.none') });
  return [el('p', {}, total), chart, el('details', {}, el('summary', {}, t('usage.table')), details)];
}
