// Where the focus is, and whether a user sees that. `stops` are all places it should come to.
const STOPS = 'a[href], button, input, select, summary, [tabindex="0"]';
const stops = [...document.querySelectorAll(STOPS)].filter(stop => stop.checkVisibility());
const at = document.activeElement;
const style = getComputedStyle(at);
const box = at.getBoundingClientRect();
return {
  stops: stops.length,
  place: stops.indexOf(at),
  name: at.outerHTML.slice(0, 100),
  box: [box.left, box.top, box.right, box.bottom].map(Math.round),
  ringed: at.matches(':focus-visible') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
  // All of it, or of something large a good part; sideways Chromium is content with 32 pixels.
  inside: box.width > 0 && Math.min(box.right, innerWidth) - Math.max(box.left, 0) >= Math.min(box.width, 24)
    && Math.min(box.bottom, innerHeight) - Math.max(box.top, 0) >= Math.min(box.height, 100),
};
