// Dialogs that must be answered before the page continues.

import { button, el, unique } from './dom.js';
import { t } from './text.js';

/**
 * Shows a dialog. `build` gets a function that closes it with a value, and returns its content.
 * Resolves to that value, or to undefined if the user presses Escape.
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

/** Asks before an action that cannot be undone. With `typed`, the user must type that text. */
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
