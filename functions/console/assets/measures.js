// The fields of measurements: order, names, units, typed values.

import { el, unique } from './dom.js';
import { convert, shown, typed } from './lengths.js';
import { has, t } from './text.js';

/** The part of the body of each measurement. Those without a group are at the end. */
const GROUPS = {
  'group.head': ['head', 'neck', 'shoulderToShoulder', 'shoulderSlope'],
  'group.arms': ['shoulderToElbow', 'shoulderToWrist', 'biceps', 'wrist'],
  'group.bust': ['chest', 'highBust', 'highBustFront', 'bustFront', 'bustSpan', 'bustPointToUnderbust', 'underbust', 'hpsToBust'],
  'group.torso': ['hpsToWaistFront', 'hpsToWaistBack', 'waistToArmpit', 'waistToUnderbust', 'waist', 'waistBack'],
  'group.hips': ['waistToHips', 'hips', 'waistToSeat', 'seat', 'seatBack', 'crotchDepth', 'crossSeam', 'crossSeamFront'],
  'group.legs': ['waistToUpperLeg', 'upperLeg', 'inseam', 'waistToKnee', 'knee', 'waistToFloor', 'ankle', 'heel'],
};

const DEGREES = 'degrees';

/** The name of a measurement. */
export const measureName = (name) => (has(`m.${name}`) ? t(`m.${name}`) : name);

/** The measurements that the API knows, in groups: `[title, [measurement]]`. */
export function grouped(known) {
  const by = new Map(known.map((one) => [one.name, one]));
  const groups = Object.entries(GROUPS).map(([title, names]) => [title, names.map((name) => by.get(name)).filter(Boolean)]);
  const placed = new Set(Object.values(GROUPS).flat());
  const rest = known.filter(({ name }) => !placed.has(name));
  return rest.length > 0 ? [...groups, ['group.rest', rest]] : groups;
}

/** One field. It remembers the stored value, so that only changes are sent. */
export class Measure {
  constructor({ name, unit, adult }, stored, units, onchange) {
    const id = unique('measure');
    this.name = name;
    this.adult = adult;
    this.isLength = unit !== DEGREES;
    this.stored = stored ?? null;
    this.edited = false;
    this.unit = el('span', { class: 'unit', 'aria-hidden': 'true' });
    this.range = el('p', { class: 'hint', id: `${id}-hint` });
    this.note = el('p', { class: 'problem', id: `${id}-problem` });
    this.input = el('input', { id, inputmode: 'decimal', autocomplete: 'off', 'aria-describedby': `${id}-hint ${id}-problem` });
    this.input.addEventListener('input', () => {
      this.edited = true;
      this.say('', '');
      onchange(this);
    });
    this.label = el('label', { for: id }, measureName(name));
    this.node = el('div', { class: 'field measure' }, this.label, el('div', { class: 'beside' }, this.input, this.unit), this.range, this.note);
    this.inUnits(units, units);
  }

  /** The value of the field in the displayed unit; null if it is empty, NaN if it is not a number. */
  value() {
    return typed(this.input.value);
  }

  /** Changes the displayed unit, and converts the typed value. */
  inUnits(units, before) {
    const to = (value, from) => (this.isLength ? convert(value, from, units) : value);
    const value = this.edited ? this.value() : this.stored;
    const from = this.edited ? before : 'mm';
    if (!this.edited || Number.isFinite(value)) this.input.value = value === null ? '' : shown(to(value, from));
    this.unit.textContent = this.isLength ? units : '°';
    const { min, max } = this.adult;
    const sign = this.isLength ? ` ${units}` : '°';
    const rounded = (value) => shown(Math.round(to(value, 'mm') * 10) / 10);
    // If all known values are equal, they do not make a range.
    this.range.textContent = min === max ? '' : t('measure.adults', { min: rounded(min), max: rounded(max) + sign });
  }

  /** Sets the stored value, and discards the typed one. */
  settle(stored, units) {
    this.stored = stored ?? null;
    this.edited = false;
    this.say('', '');
    this.inUnits(units, units);
  }

  /** Shows a message at the field: `bad` for invalid values, `warning` or `hint` for implausible ones. */
  say(text, kind) {
    if (this.note.textContent === text && this.note.dataset.kind === kind) return;
    this.note.textContent = text;
    this.note.dataset.kind = kind;
    if (kind === 'bad') this.input.setAttribute('aria-invalid', 'true');
    else this.input.removeAttribute('aria-invalid');
  }
}
