// One set of measurements.

import { call, intention, mine } from '../api.js';
import { Checker, sendable } from '../checker.js';
import { ask } from '../dialog.js';
import { button, el, fill, heading, link, section } from '../dom.js';
import { area, choice, field, form, tick } from '../form.js';
import { UNITS } from '../lengths.js';
import { Measure, grouped } from '../measures.js';
import { attempt, say } from '../notice.js';
import { go, keep } from '../router.js';
import * as session from '../session.js';
import { onDevice } from '../store.js';
import { list, t } from '../text.js';
import { download } from '../transfer.js';
import { Verdict } from '../verdict.js';

const STORED_UNITS = 'bespoke.units';
/** The notes of a set. The API stores two dashes for a set that was created without notes. */
const notesOf = (set) => (set.notes === '--' ? '' : set.notes);

const EMPTY = { name: '', notes: '', public: false, imperial: null, measies: {} };

function unitsFor(set) {
  const last = onDevice.get(STORED_UNITS);
  const imperial = set.imperial ?? (last ? last === 'in' : session.account().imperial);
  if (imperial) return 'in';
  return last === 'mm' ? 'mm' : 'cm';
}

/** The page. */
export async function page({ rest }) {
  const [known, designs, stored] = await Promise.all([
    call('GET', 'measurements'),
    call('GET', 'designs'),
    rest ? mine('GET', `sets/${encodeURIComponent(rest)}`) : null,
  ]);
  const editor = new Editor(stored?.data.set ?? EMPTY, stored?.etag, known.data.measurements, designs.data.designs);
  keep(() => editor.dirty, () => ask({ title: t('leave.title'), text: t('leave.text'), yes: t('leave.yes') }));
  return editor.nodes();
}

class Editor {
  constructor(set, etag, known, designs) {
    Object.assign(this, { set, etag, designs });
    this.units = unitsFor(set);
    this.dirty = false;
    this.intend = intention();
    const changed = (measure) => {
      this.dirty = true;
      this.checker.later(measure);
    };
    this.groups = grouped(known).map(([title, ones]) => [
      title,
      ones.map((one) => new Measure(one, set.measies[one.name], this.units, changed)),
    ]);
    this.measures = this.groups.flatMap(([, ones]) => ones);
    this.verdict = new Verdict(designs);
    const asked = () => ({ units: this.units, design: this.design.input.value || undefined });
    this.checker = new Checker(this.measures, asked, (verdict, error) => this.verdict.show(verdict, error));
    this.build();
  }

  build() {
    const { set } = this;
    const touch = () => {
      this.dirty = true;
    };
    this.name = field({ label: t('set.name'), required: true, autocomplete: 'off', value: set.name, oninput: touch });
    this.notes = area({ label: t('set.notes'), value: notesOf(set), oninput: touch });
    this.open = tick({ label: t('set.public'), hint: t('set.public.hint'), checked: set.public, onchange: touch });
    this.unit = choice({ label: t('set.units'), options: UNITS.map((one) => [one, t(`unit.${one}`)]), value: this.units });
    this.unit.input.addEventListener('change', () => this.speakUnits(this.unit.input.value));
    const names = this.designs.map(({ name }) => [name, name]);
    this.design = choice({ label: t('set.design'), hint: t('set.design.hint'), options: [['', t('set.nodesign')], ...names] });
    this.design.input.addEventListener('change', () => this.narrow());
    this.conflict = el('div', { role: 'alert' });
  }

  nodes() {
    const fields = this.groups.map(([title, ones]) => {
      const inside = el('div', { class: 'grid' }, ones.map((one) => one.node));
      return el('fieldset', { class: 'card' }, el('legend', {}, t(title)), inside);
    });
    const { node } = form({
      fields: { name: this.name },
      places: { nameTooLong: 'name', nameMissing: 'name' },
      parts: [
        el('div', { class: 'card' }, this.name.node, this.notes.node, this.open.node),
        el('div', { class: 'card pair' }, this.unit.node, this.design.node, el('p', { class: 'hint' }, t('set.fractions'))),
        this.verdict.node,
        fields,
        this.conflict,
      ],
      submit: t('save'),
      send: () => this.save(),
    });
    this.checker.now();
    const title = this.set.uuid ? this.set.name : t('set.new');
    return [el('p', { class: 'crumbs' }, link('sets', t('sets.title'))), heading(title), node, this.set.uuid && this.more()];
  }

  more() {
    const out = button(t('set.export'), () => attempt(() => this.export()));
    const copy = button(t('set.clone'), () => attempt(() => this.clone()));
    const away = button(t('set.delete'), () => this.remove(), 'danger');
    return section(t('set.more'), el('p', {}, t('set.export.text')), el('div', { class: 'actions' }, out, copy, away));
  }

  get path() {
    return `sets/${encodeURIComponent(this.set.uuid)}`;
  }

  speakUnits(units) {
    for (const one of this.measures) one.inUnits(units, this.units);
    this.units = units;
    onDevice.set(STORED_UNITS, units);
    this.checker.later();
  }

  /** Shows only the measurements that the selected design can use. */
  narrow() {
    const design = this.designs.find(({ name }) => name === this.design.input.value);
    const wanted = design && new Set([...design.required, ...design.optional]);
    for (const [, ones] of this.groups) {
      for (const one of ones) {
        one.node.hidden = Boolean(wanted) && !wanted.has(one.name);
        one.node.classList.toggle('wanted', Boolean(design?.required.includes(one.name)));
      }
      ones[0].node.closest('fieldset').hidden = ones.every((one) => one.node.hidden);
    }
    this.checker.now();
  }

  /** Only the changed values, so that concurrent changes of other values are kept. */
  body() {
    const edited = this.measures.filter((one) => one.edited);
    const gone = edited.filter((one) => one.value() === null && one.stored !== null).map((one) => [one.name, null]);
    const all = {
      name: this.name.input.value,
      notes: this.notes.input.value,
      public: this.open.input.checked,
      imperial: this.units === 'in',
    };
    const before = { ...this.set, notes: notesOf(this.set) };
    const changed = Object.entries(all).filter(([name, value]) => !this.set.uuid || value !== before[name]);
    return { ...Object.fromEntries(changed), units: this.units, measies: { ...sendable(edited), ...Object.fromEntries(gone) } };
  }

  async save() {
    fill(this.conflict);
    await this.checker.now();
    const bad = this.measures.find((one) => this.checker.refused(one));
    if (bad) {
      this.design.input.value = '';
      this.narrow();
      bad.input.focus();
      return;
    }
    const body = this.body();
    if (!this.set.uuid) {
      const made = await mine('POST', 'sets', { body, headers: this.intend(body) });
      this.dirty = false;
      await go(`sets/one/${made.data.set.uuid}`);
      this.said(made.data.ignored);
      return;
    }
    try {
      const changed = await mine('PATCH', this.path, { body, headers: { 'If-Match': this.etag ?? '*' } });
      this.take(changed);
      this.said(changed.data.ignored);
    } catch (error) {
      if (error.code !== 'preconditionFailed') throw error;
      this.askWhich();
    }
  }

  said(ignored = []) {
    if (ignored.length > 0) say(t('saved.but', { what: list(ignored) }), 'bad');
    else say(t('saved'));
  }

  take({ data, etag }) {
    Object.assign(this, { set: data.set, etag, dirty: false });
    for (const one of this.measures) one.settle(data.set.measies[one.name], this.units);
    this.name.input.value = data.set.name;
    this.notes.input.value = notesOf(data.set);
    this.open.input.checked = data.set.public;
    document.querySelector('h1').textContent = data.set.name;
    this.checker.now();
  }

  /** The set was changed elsewhere. The user's input stays until the user chooses a version. */
  askWhich() {
    const over = button(t('conflict.mine'), () => attempt(() => this.saveOver()), 'primary');
    const theirs = button(t('conflict.theirs'), () => {
      this.dirty = false;
      return go(`sets/one/${this.set.uuid}`);
    });
    fill(this.conflict, el('div', { class: 'notice bad' }, el('p', {}, t('conflict.text')), el('div', { class: 'actions' }, over, theirs)));
    over.focus();
  }

  async saveOver() {
    this.etag = (await mine('GET', this.path)).etag;
    await this.save();
  }

  async export() {
    const { data } = await mine('GET', this.path);
    download({ sets: [data.set] }, data.set.name);
  }

  async clone() {
    const { data } = await mine('POST', `${this.path}/clone`, { body: {} });
    await go(`sets/one/${data.set.uuid}`);
    say(t('set.cloned'));
  }

  async remove() {
    const sure = await ask({ title: t('set.delete'), text: t('set.delete.text', { name: this.set.name }), yes: t('set.delete') });
    if (!sure || !(await attempt(() => mine('DELETE', this.path)))) return;
    this.dirty = false;
    await go('sets');
    say(t('set.deleted', { name: this.set.name }));
  }
}
