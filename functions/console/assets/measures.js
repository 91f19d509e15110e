// The fields of measurements: an order to measure in, names, units, what was typed.

import { el, unique } from './dom.js';
import { convert, shown, typed } from './lengths.js';
import { has, t } from './text.js';

/** Where a measurement is taken. One that is in no group stands at the end. */
const GROUPS = {
  'group.head': ['head', 'neck', 'shoulderToShoulder', 'shoulderSlope'],
  'group.arms': ['shoulderToElbow', 'shoulderToWrist', 'biceps', 'wrist'],
  'group.bust': ['chest', 'highBust', 'highBustFront', 'bustFront', 'bustSpan', 'bustPointToUnderbust', 'underbust', 'hpsToBust'],
  'group.torso': ['hpsToWaistFront', 'hpsToWaistBack', 'waistToArmpit', 'waistToUnderbust', 'waist', 'waistBack'],
  'group.hips': ['waistToHips', 'hips', 'waistToSeat', 'seat', 'seatBack', 'crotchDepth', 'crossSeam', 'crossSeamFront'],
  'group.legs': ['waistToUpperLeg', 'upperLeg', 'inseam', 'waistToKnee', 'knee', 'waistToFloor', 'ankle', 'heel'],
};

const DEGREES = 'degrees';

/** What a measurement is called. */
export const measureName = (name) => (has(`m.${name}`) ? t(`m.${name}`) : name);

/** The measurements that the API knows, in groups: `[title, [measurement]]`. */
export function grouped(known) {
  const by = new Map(known.map((one) => [one.name, one]));
  const groups = Object.entries(GROUPS).map(([title, names]) => [title, names.map((name) => by.get(name)).filter(Boolean)]);
  const placed = new Set(Object.values(GROUPS).flat());
  const rest = known.filter(({ name }) => !placed.has(name));
  return rest.length > 0 ? [...groups, ['group.rest', rest]] : groups;
}

/** One field. It remembers what is stored, so that only what was typed is sent. */
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

  /** What is in the field, in the unit that is shown; null for nothing, NaN for no number. */
  value() {
    return typed(this.input.value);
  }

  /** Shows another unit. What was typed is converted with it. */
  inUnits(units, before) {
    const to = (value, from) => (this.isLength ? convert(value, from, units) : value);
    const value = this.edited ? this.value() : this.stored;
    const from = this.edited ? before : 'mm';
    if (!this.edited || Number.isFinite(value)) this.input.value = value === null ? '' : shown(to(value, from));
    this.unit.textContent = this.isLength ? units : '°';
    const { min, max } = this.adult;
    const sign = this.isLength ? ` ${units}` : '°';
    const rounded = (value) => shown(Math.round(to(value, 'mm') * 10) / 10);
    // Where all that are known are alike, it would be no range.
    this.range.textContent = min === max ? '' : t('measure.adults', { min: rounded(min), max: rounded(max) + sign });
  }

  /** Takes what is stored now; what was typed in the field is done with. */
  settle(stored, units) {
    this.stored = stored ?? null;
    this.edited = false;
    this.say('', '');
    this.inUnits(units, units);
  }

  /** Says something at the field: `bad` about what cannot be taken, `warning` or `hint` about what looks odd. */
  say(text, kind) {
    if (this.note.textContent === text && this.note.dataset.kind === kind) return;
    this.note.textContent = text;
    this.note.dataset.kind = kind;
    if (kind === 'bad') this.input.setAttribute('aria-invalid', 'true');
    else this.input.removeAttribute('aria-invalid');
  }
}
