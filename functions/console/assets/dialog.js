// Questions that have to be answered before the page goes on.

import { button, el, unique } from './dom.js';
import { t } from './text.js';

/**
 * Shows a dialog. `build` gets a function that closes it with a value, and gives what stands in it.
 * Resolves to that value; to undefined when it is left with Escape.
 */
export function show(title, build) {
  const id = unique('dialog');
  const dialog = el('dialog', { 'aria-labelledby': id });
  const before = document.activeElement;
  return new Promise((resolve) => {
    let result;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    dialog.append(el('h2', { id }, title), ...[build(close)].flat());
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks before something that cannot be taken back. With `typed`, that text has to be entered first. */
export function ask({ title, text, yes, typed }) {
  return show(title, (close) => {
    const go = button(yes, () => close(true), 'danger');
    const stay = button(t('cancel'), () => close(false));
    const parts = [el('p', {}, text)];
    if (typed !== undefined) {
      const id = unique('typed');
      const input = el('input', { id, autocomplete: 'off', spellcheck: 'false' });
      go.disabled = true;
      input.addEventListener('input', () => {
        go.disabled = input.value.trim() !== typed;
      });
      parts.push(el('div', { class: 'field' }, el('label', { for: id }, t('type-to-confirm', { text: typed })), input));
    }
    return [...parts, el('div', { class: 'actions' }, stay, go)];
  }).then(Boolean);
}
