// Runs before anything is painted, so that the page does not flash in the other theme.
(() => {
  const theme = localStorage.getItem('bespoke.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
