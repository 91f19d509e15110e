// Storage of the browser, for this tab or for this device. If the browser forbids it, values last until the page is left.

/** A store for texts. `area` returns the store of the browser; accessing it fails if it is forbidden. */
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
