// Creates elements. Text stays text: this module never parses markup, and the policy of the page forbids it.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes and children: `el('p', { class: 'hint' }, 'text', node)`. Functions become listeners, named `onclick`. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An element of an SVG drawing. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') node.addEventListener(name.slice(2), value);
    else if (name === 'value') node.value = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  append(node, children);
  return node;
}

/** Appends texts, nodes and lists of them; skips null, undefined and false. */
export function append(node, ...children) {
  const wanted = children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
  node.append(...wanted);
  return node;
}

/** Replaces the children of a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  return append(node, ...children);
}

let last = 0;

/** A unique id for an element. */
export function unique(stem) {
  last += 1;
  return `${stem}-${last}`;
}

/** A link to a page of the console. */
export function link(path, ...children) {
  return el('a', { href: `#/${path}` }, ...children);
}

/** The heading of a page; the router moves the focus to it. */
export function heading(text) {
  return el('h1', { tabindex: '-1' }, text);
}

/** A section of a page, with a heading. */
export function section(title, ...children) {
  const id = unique('section');
  return el('section', { class: 'card', 'aria-labelledby': id }, el('h2', { id }, title), ...children);
}

/** A button with an action. It is disabled until the action is complete. */
export function button(text, work, kind = '') {
  const node = el('button', { type: 'button', class: `button ${kind}`.trim() }, text);
  node.addEventListener('click', async () => {
    if (node.hasAttribute('aria-busy')) return;
    node.setAttribute('aria-busy', 'true');
    try {
      await work();
    } finally {
      node.removeAttribute('aria-busy');
    }
  });
  return node;
}
