// Runs before anything is painted, so that the page does not flash in the other theme.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem('bespoke.theme');
  } catch {
    // The browser may remember nothing here.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
