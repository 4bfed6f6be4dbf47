// Every text of the page whose contrast with what is painted behind it is below the limit of WCAG.
const LIMIT = 4.5;

function parse(text) {
  const n = text.match(/[\d.]+(e-?\d+)?/g).map(Number);
  if (text.startsWith('rgb')) return { rgb: n.slice(0, 3).map(c => c / 255), alpha: n[3] ?? 1 };
  if (text.startsWith('color(srgb')) return { rgb: n.slice(0, 3), alpha: n[3] ?? 1 };
  throw new Error('a colour this script cannot read: ' + text);
}

const over = (top, ground) => top.rgb.map((c, i) => c * top.alpha + ground[i] * (1 - top.alpha));

function ground(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (style.opacity !== '1') throw new Error('opacity on ' + at.outerHTML.slice(0, 80));
    if (style.backgroundImage !== 'none') throw new Error('an image behind ' + at.outerHTML.slice(0, 80));
    const layer = parse(style.backgroundColor);
    layers.push(layer);
    if (layer.alpha === 1) break;
  }
  return layers.reduceRight((below, layer) => over(layer, below), [1, 1, 1]);
}

const linear = c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

function ratio(element, pseudo) {
  const behind = ground(element);
  const text = over(parse(getComputedStyle(element, pseudo).color), behind);
  const [low, high] = [luminance(text), luminance(behind)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

for (const folded of document.querySelectorAll('details')) folded.open = true;
const seen = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const words = walker.currentNode.data.trim();
  if (words) seen.push([words, walker.currentNode.parentElement, null]);
}
for (const input of document.querySelectorAll('input')) {
  seen.push([input.name + '=' + input.value, input, null]);
  if (input.placeholder) seen.push([input.placeholder, input, '::placeholder']);
}
const low = seen
  .map(([words, element, pseudo]) => [words, ratio(element, pseudo)])
  .filter(([, found]) => found < LIMIT)
  .map(([words, found]) => found.toFixed(2) + ': ' + words);
return { texts: seen.length, low };
