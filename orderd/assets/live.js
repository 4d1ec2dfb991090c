// Keeps a part of the page current by asking for its page again and taking over what changed.
// The server escapes and formats; nothing is put together here, and everything works without it.

const REFRESH_MS = 2000;
const ANSWER_WAIT_MAX_MS = 10_000;
const live = document.getElementById("live");
const pause = document.getElementById("pause");
const arrived = document.getElementById("arrived");
const region = document.querySelector("[data-refresh]");

let shown = "";
let isPaused = false;

function say(state) {
  live.hidden = false;
  live.dataset.state = state;
  if (live.textContent !== live.dataset[state]) live.textContent = live.dataset[state];
}

function keys(root) {
  return new Set([...root.querySelectorAll("[data-key]")].map((element) => element.dataset.key));
}

// Elements with a key stay the same element, so that focus and selection stay where they are. What
// comes into a list that had some already is marked, and told to who can't see it.
function take(fresh) {
  const before = keys(region);
  const old = new Map([...region.querySelectorAll("[data-key]")].map((e) => [e.dataset.key, e]));
  const active = document.activeElement;
  const focused = active?.closest("[data-key]")?.dataset.key;
  const link = region.contains(active) ? active.getAttribute("href") : null;
  let count = 0;
  for (const element of fresh.querySelectorAll("[data-key]")) {
    const same = old.get(element.dataset.key);
    if (same && same.innerHTML === element.innerHTML) {
      element.replaceWith(same);
    } else if (arrived && before.size > 0 && !same) {
      element.classList.add("arrived");
      count += 1;
    }
  }
  region.replaceChildren(...fresh.childNodes);
  if (focused) {
    const selector = `[data-key="${CSS.escape(focused)}"]`;
    const again = region.querySelector(selector);
    (again?.querySelector("a, button") ?? again)?.focus({ preventScroll: true });
  } else if (link) {
    region.querySelector(`[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
  }
  if (count > 0) arrived.textContent = `${arrived.dataset.text} ${count}`;
}

async function refresh() {
  if (document.hidden || isPaused) return;
  try {
    const signal = AbortSignal.timeout(ANSWER_WAIT_MAX_MS);
    const headers = { Accept: "text/html" };
    const answer = await fetch(region.dataset.refresh, { cache: "no-cache", headers, signal });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const text = await answer.text();
    if (isPaused) return;
    if (text !== shown) {
      const page = new DOMParser().parseFromString(text, "text/html");
      take(page.getElementById(region.id));
      shown = text;
    }
    say("live");
  } catch {
    say("stale");
  }
}

async function run() {
  await refresh();
  setTimeout(run, REFRESH_MS);
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? pause.dataset.resume : pause.dataset.pause;
  if (isPaused) say("paused");
  else refresh();
});

pause.hidden = false;
say(region.querySelector("[role=alert]") ? "stale" : "live");
setTimeout(run, REFRESH_MS);
