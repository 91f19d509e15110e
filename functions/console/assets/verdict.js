// The result of the check of all measurements.

import { warningText } from './checker.js';
import { el, fill } from './dom.js';
import { measureName } from './measures.js';
import { list, number, sentence, t } from './text.js';

/** The place of the result; screen readers announce it. */
export class Verdict {
  constructor(designs) {
    this.needs = new Map(designs.map(({ name, required }) => [name, required.length]));
    this.node = el('div', { class: 'card verdict', role: 'status', 'aria-live': 'polite' });
  }

  /** Shows a result, or why there is none. */
  show(verdict, error) {
    if (!verdict) return this.say(el('p', {}, t('verdict.unknown'), ' ', sentence(error)));
    const count = Object.keys(verdict.measurements).length;
    const mixUp = verdict.warnings.find(({ rule }) => rule === 'unit');
    const odd = new Set(verdict.warnings.filter(({ rule }) => rule !== 'unit').flatMap(({ measurements }) => measurements));
    return this.say(
      el('p', {}, t('verdict.count', { count: number(count) })),
      verdict.design && this.design(verdict.design),
      mixUp && el('p', { class: `odd ${mixUp.severity}` }, warningText(mixUp)),
      odd.size > 0 && el('p', { class: 'odd hint' }, t('verdict.odd', { what: list([...odd].map(measureName)) })),
    );
  }

  design({ name, complete, missing, missingOptional }) {
    const needed = this.needs.get(name) ?? 0;
    const there = needed - missing.length;
    const label = t('verdict.design', { there: number(there), needed: number(needed), name });
    return el(
      'div',
      { class: complete ? 'complete' : 'incomplete' },
      el('progress', { max: needed, value: there, 'aria-label': label }),
      el('p', {}, label),
      missing.length > 0 && el('p', {}, t('verdict.missing', { what: list(missing.map(measureName)) })),
      complete && missingOptional.length > 0 && el('p', { class: 'hint' }, t('verdict.optional', { what: list(missingOptional.map(measureName)) })),
    );
  }

  /** Updates only texts that have changed, because a screen reader would repeat the others. */
  say(...parts) {
    const next = el('div', {}, parts);
    if (next.textContent !== this.node.textContent) fill(this.node, next);
  }
}
