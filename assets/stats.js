// Keeps the numbers of /stats up to date: asks every few seconds for the part that changes and
// works what is new into what is shown, so that focus, scrolling, what is unfolded and what is
// selected stay. Without it the page is the same, as of when it was loaded.

const EVERY = 5000;
const PATIENCE = 10000;

const live = document.getElementById('live');
const state = document.getElementById('state');
const button = document.getElementById('pause');
let paused = false;
let asking = false;
let timer;

// Said only when it changes: a screen reader reads out every change.
function say(words, stale) {
  if (state.textContent !== words) state.textContent = words;
  state.classList.toggle('stale', stale);
}

async function update() {
  clearTimeout(timer);
  if (asking || paused || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(live.dataset.from, { signal: AbortSignal.timeout(PATIENCE) });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const fresh = answer.ok && page.getElementById('live');
    if (!fresh) throw new Error('no numbers');
    if (!paused) {
      const focus = document.activeElement;
      work(fresh, live, page);
      if (focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
      say('Live, ' + live.dataset.summary, false);
    }
  } catch {
    if (!paused) say('Stale since ' + live.dataset.at + ' UTC', true);
  }
  asking = false;
  timer = setTimeout(update, EVERY);
}

// Makes `old` look like `fresh`. What has an id is found by it, everything else by its place.
function work(fresh, old, page) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    const selection = getSelection();
    const selected = !selection.isCollapsed && selection.containsNode(old, true);
    if (old.data !== fresh.data && !selected) old.data = fresh.data;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (name !== 'open' && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const child of [...old.children]) {
    if (child.id && !page.getElementById(child.id)) child.remove();
  }
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const found = next.id ? document.getElementById(next.id) : at && !at.id && at.nodeName === next.nodeName && at;
    if (found && found === at) at = at.nextSibling;
    else old.insertBefore(found || next, at);
    if (found) work(next, found, page);
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

button.hidden = false;
button.addEventListener('click', () => {
  paused = !paused;
  button.textContent = paused ? 'Resume' : 'Pause';
  if (paused) say('Paused at ' + live.dataset.at + ' UTC', false);
  else update();
});
document.addEventListener('visibilitychange', update);
say('Live, ' + live.dataset.summary, false);
timer = setTimeout(update, EVERY);
