// Fields with labels, and forms that show errors at their fields.

import { el, fill, unique } from './dom.js';
import { hush } from './notice.js';
import { sentence, t } from './text.js';

/** A field: `{ node, input, fail(text) }`. `control` is its element, by default a text input. */
export function field({ label, hint, control, aside, ...attributes }) {
  const id = unique('field');
  const input = control ?? el('input', { type: 'text', ...attributes });
  input.id = id;
  const hints = hint ? el('p', { class: 'hint', id: `${id}-hint` }, hint) : null;
  const problem = el('p', { class: 'problem', id: `${id}-problem` });
  const described = [hints && `${id}-hint`, `${id}-problem`].filter(Boolean);
  input.setAttribute('aria-describedby', described.join(' '));
  const fail = (text) => {
    fill(problem, text);
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  };
  input.addEventListener('input', () => fail(''));
  const inside = aside ? el('div', { class: 'beside' }, input, aside) : input;
  return { node: el('div', { class: 'field' }, el('label', { for: id }, label), hints, inside, problem), input, fail };
}

/** A select element with `[value, text]`. */
export function choice({ label, hint, options, value, ...attributes }) {
  const items = options.map(([code, text]) => el('option', { value: code, selected: code === value }, text));
  return field({ label, hint, control: el('select', attributes, items) });
}

/** A text area. */
export function area({ label, hint, value = '', ...attributes }) {
  return field({ label, hint, control: el('textarea', { rows: '4', ...attributes, value }) });
}

/** A checkbox. */
export function tick({ label, hint, checked = false, ...attributes }) {
  const id = unique('tick');
  const input = el('input', { type: 'checkbox', id, checked, 'aria-describedby': hint ? `${id}-hint` : null, ...attributes });
  const text = el('div', {}, el('label', { for: id }, label), hint ? el('p', { class: 'hint', id: `${id}-hint` }, hint) : null);
  return { node: el('div', { class: 'tick' }, input, text), input };
}

/** Radio buttons, each with an explanation: `[value, label, hint]`. */
export function radios({ legend, name, options, value }) {
  const inputs = options.map(([code, label, hint]) => tick({ label, hint, type: 'radio', name, value: code, checked: code === value }));
  const node = el('fieldset', {}, el('legend', {}, legend), inputs.map((one) => one.node));
  return { node, inputs: inputs.map((one) => one.input), value: () => node.querySelector('input:checked')?.value };
}

/**
 * A form. `fields` are the fields by name; `places` maps error codes to fields. `send` submits it; its exceptions are shown, and the
 * input stays.
 */
export function form({ fields = {}, places = {}, parts, submit, kind = 'primary', send }) {
  const problem = el('div', { class: 'form-problem', role: 'alert' });
  const go = el('button', { type: 'submit', class: `button ${kind}` }, submit);
  const node = el('form', { novalidate: true }, parts, problem, el('div', { class: 'actions' }, go));
  let busy = false;
  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (busy || !complete(fields)) return;
    busy = true;
    go.setAttribute('aria-busy', 'true');
    fill(problem);
    hush();
    try {
      await send();
    } catch (error) {
      show(error, fields, places, problem);
    } finally {
      busy = false;
      go.removeAttribute('aria-busy');
    }
  });
  return { node, go };
}

/** Whether all required fields are filled. Otherwise shows the error and moves the focus there. */
function complete(fields) {
  const empty = Object.values(fields).filter(({ input }) => input.required && !input.value.trim());
  for (const one of empty) one.fail(t('needed'));
  empty[0]?.input.focus();
  return empty.length === 0;
}

function show(error, fields, places, problem) {
  if (!error.code) throw error;
  const place = fields[places[error.code]];
  if (place) {
    place.fail(sentence(error));
    place.input.focus();
  } else {
    fill(problem, el('p', { class: 'notice bad' }, sentence(error)));
  }
}
