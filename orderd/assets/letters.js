// Lists the dead letters and replays them. They hold customers' data, so they are asked for by this
// script and with the token, which is kept for as long as the tab is open. What a letter says may be
// anything, and is only ever put into the page as text.

const ANSWER_WAIT_MAX_MS = 10_000;
const TOKEN = "orderd-token";
const language = document.documentElement.lang;
const [list, more, says, states] = ["letters", "more", "says", "states"].map((id) => document.getElementById(id));
const [opening, token, card] = ["opening", "token", "letter"].map((id) => document.getElementById(id));

// The number of the newest question: what an older one brings is not shown.
let asked = 0;
let cursor = null;

function say(word) {
  says.hidden = !word;
  says.textContent = word ? says.dataset[word] : "";
  says.classList.toggle("bad", ["refused", "failed"].includes(word));
}

function request(path, method = "GET") {
  const secret = sessionStorage.getItem(TOKEN);
  const headers = { Accept: "application/json" };
  if (secret) headers.Authorization = `Bearer ${secret}`;
  const signal = AbortSignal.timeout(ANSWER_WAIT_MAX_MS);
  return fetch(path, { method, headers, signal, cache: "no-store" });
}

function written(number) {
  return new Intl.NumberFormat(language, { style: "unit", unit: "byte", unitDisplay: "long" }).format(number);
}

function time(text) {
  const style = { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" };
  // The day before the month, as on the pages that the server writes.
  const locale = language === "en" ? "en-GB" : language;
  return `${new Intl.DateTimeFormat(locale, style).format(new Date(text))} UTC`;
}

function place({ topic, partition, offset, element }) {
  return `${topic}/${partition}/${offset}/${element}`;
}

function showState(field, state) {
  field("state").textContent = field("state").dataset[state];
  field("state").dataset.state = state;
}

function item(letter) {
  const copy = card.content.cloneNode(true).firstElementChild;
  const field = (name) => copy.querySelector(`[data-field=${name}]`);
  const act = (name) => copy.querySelector(`[data-act=${name}]`);
  field("code").textContent = letter.code;
  field("reason").textContent = letter.reason;
  field("origin").textContent = place(letter.origin);
  field("bytes").textContent = written(letter.payload_bytes);
  field("received").textContent = time(letter.received_at);
  field("received").dateTime = letter.received_at;
  field("uid").textContent = letter.order_uid ?? "—";
  if (letter.order_uid) field("uid").href = `/?uid=${encodeURIComponent(letter.order_uid)}`;
  showState(field, letter.state);
  act("replay").hidden = letter.state !== "open";
  act("show").addEventListener("click", () => showMessage(letter.id, field, act));
  act("replay").addEventListener("click", () => replay(letter.id, "", field, act));
  act("force").addEventListener("click", () => replay(letter.id, "?force=true", field, act));
  return copy;
}

async function showMessage(id, field, act) {
  const message = field("message");
  if (!message.hidden) {
    message.hidden = true;
    act("show").ariaExpanded = "false";
    return;
  }
  try {
    const answer = await request(`/dead-letters/${id}`);
    if (!answer.ok) throw new Error(`${answer.status}`);
    const letter = await answer.json();
    message.textContent = letter.payload_text ?? `base64: ${letter.payload}`;
    message.hidden = false;
    act("show").ariaExpanded = "true";
  } catch {
    field("verdict").textContent = field("verdict").dataset.failed;
  }
}

async function replay(id, force, field, act) {
  const verdict = field("verdict");
  act("replay").disabled = act("force").disabled = true;
  try {
    const answer = await request(`/dead-letters/${id}/replay${force}`, "POST");
    const body = await answer.json();
    if (answer.ok) {
      verdict.textContent = verdict.dataset.replayed;
      showState(field, "replayed");
      act("replay").hidden = act("force").hidden = true;
      act("show").focus();
    } else {
      const reasons = (body.errors ?? []).map((error) => `${error.path}: ${error.message}`);
      const isOvertaken = body.code === "dead_letter_overtaken";
      const known = isOvertaken ? verdict.dataset.overtaken : verdict.dataset.bad;
      const isKnown = isOvertaken || body.code === "invalid_order";
      verdict.textContent = [isKnown ? known : verdict.dataset.failed, ...reasons].join("\n");
      act("force").hidden = !isOvertaken;
    }
  } catch {
    verdict.textContent = verdict.dataset.failed;
  }
  act("replay").disabled = act("force").disabled = false;
}

async function open(isNext) {
  const number = ++asked;
  if (!isNext) list.replaceChildren();
  more.hidden = true;
  say("loading");
  const next = isNext ? `&cursor=${encodeURIComponent(cursor)}` : "";
  try {
    const answer = await request(`/dead-letters?state=${states.value}&limit=20${next}`);
    const body = await answer.json();
    if (number !== asked) return;
    opening.hidden = answer.status !== 401;
    if (answer.status === 401) {
      say(sessionStorage.getItem(TOKEN) ? "refused" : null);
      token.focus();
      return;
    }
    if (body.code === "writes_off") return say("off");
    if (!answer.ok) throw new Error(body.code);
    list.append(...body.dead_letters.map(item));
    cursor = body.next_cursor;
    more.hidden = !cursor;
    say(list.childElementCount === 0 ? "none" : null);
  } catch {
    if (number === asked) say("failed");
  }
}

opening.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, token.value);
  token.value = "";
  open(false);
});
states.addEventListener("change", () => open(false));
more.addEventListener("click", () => open(true));
open(false);
