// Checks the measurements while the user types: implausible and impossible values, and completeness for a design. The API has the rules.

import { call } from './api.js';
import { measureName } from './measures.js';
import { t } from './text.js';

/** The pause in typing after which the API is called, in milliseconds. */
const PAUSE_MS = 500;

/** The measurements that can be sent, in the displayed unit. */
export function sendable(measures) {
  const entries = measures.map((one) => [one.name, one.value()]).filter(([, value]) => Number.isFinite(value));
  return Object.fromEntries(entries);
}

/** Checks measurements whenever they change. `asked` returns `{ units, design }`; `tell` gets the response, or null if there is none. */
export class Checker {
  constructor(measures, asked, tell) {
    Object.assign(this, { measures, asked, tell });
    this.turn = 0;
    this.fresh = new Set();
  }

  /** Checks after a pause. */
  later(measure) {
    if (measure) this.fresh.add(measure);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), PAUSE_MS);
  }

  /** Checks immediately. */
  async now() {
    clearTimeout(this.timer);
    this.turn += 1;
    const turn = this.turn;
    for (const one of this.measures) if (Number.isNaN(one.value())) one.say(t('measure.nonumber'), 'bad');
    try {
      const verdict = await this.ask();
      if (turn === this.turn) this.show(verdict);
    } catch (error) {
      if (turn !== this.turn) return;
      if (error.status === 429) this.timer = setTimeout(() => this.now(), (error.retryAfter ?? 1) * 1000);
      else this.tell(null, error);
    }
  }

  async ask() {
    const good = this.measures.filter((one) => !this.refused(one));
    try {
      const verdict = await this.check(sendable(good));
      this.fresh.clear();
      return verdict;
    } catch (error) {
      if (error.code !== 'measurementsInvalid') throw error;
      return this.without();
    }
  }

  /** Finds impossible values among those typed since the last response, and checks the others. */
  async without() {
    for (const one of this.fresh) {
      try {
        await this.check(sendable([one]));
      } catch (error) {
        if (error.code !== 'measurementsInvalid') throw error;
        one.say(t('measure.impossible'), 'bad');
      }
    }
    this.fresh.clear();
    return this.check(sendable(this.measures.filter((one) => !this.refused(one))));
  }

  refused(measure) {
    return measure.note.dataset.kind === 'bad' && measure.note.textContent !== '';
  }

  async check(measurements) {
    const { data } = await call('POST', 'measurements/check', { body: { measurements, ...this.asked() } });
    return data;
  }

  /** Shows the warnings at their fields. */
  show(verdict) {
    const said = new Map();
    for (const warning of verdict.warnings) {
      // A mix-up of units concerns all fields, so it is shown once, above them.
      if (warning.rule === 'unit') continue;
      for (const name of warning.measurements) said.set(name, { text: warningText(warning), kind: warning.severity });
    }
    for (const one of this.measures) {
      if (this.refused(one)) continue;
      const { text, kind } = said.get(one.name) ?? { text: '', kind: '' };
      one.say(text, kind);
    }
    this.tell(verdict);
  }
}

/** A warning of the API in the user's language. */
export function warningText({ rule, measurements, message }) {
  const [larger, smaller] = measurements.map(measureName);
  if (rule === 'order') return t('warning.order', { larger, smaller });
  if (rule === 'range') return t('warning.range');
  if (rule === 'unit') return t('warning.unit');
  return message;
}
