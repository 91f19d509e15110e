// What the browser remembers: for this tab, or on this device. Where it is told to remember nothing, it lasts until the page is left.

/** A place to remember texts in. `area` gives the browser's; to ask for it fails where it is forbidden. */
function place(area) {
  const meanwhile = new Map();
  const attempt = (use, otherwise) => {
    try {
      return use(area());
    } catch {
      return otherwise();
    }
  };
  return {
    get: (name) => attempt((store) => store.getItem(name), () => meanwhile.get(name) ?? null),
    set: (name, text) => attempt((store) => store.setItem(name, text), () => meanwhile.set(name, text)),
    remove: (name) => attempt((store) => store.removeItem(name), () => meanwhile.delete(name)),
  };
}

/** Until the tab is closed. */
export const inTab = place(() => sessionStorage);

/** On this device. */
export const onDevice = place(() => localStorage);
