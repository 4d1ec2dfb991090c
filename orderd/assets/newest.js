// Keeps the list of the newest orders current. Everything else on the page works without it.
// Orders are written as text only, never as markup.

const REFRESH_MS = 2000;
const list = document.getElementById("newest");
const card = document.getElementById("card");
const none = document.getElementById("none");
const stale = document.getElementById("stale");

function cardOf(order) {
  const copy = card.content.cloneNode(true);
  const fields = {
    uid: order.order_uid,
    amount: `${order.payment.amount} ${order.payment.currency}`,
    name: order.delivery.name,
    city: order.delivery.city,
    created: order.date_created.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC"),
  };
  copy.querySelector("a").href = `/?uid=${encodeURIComponent(order.order_uid)}`;
  for (const [name, text] of Object.entries(fields)) {
    copy.querySelector(`[data-field=${name}]`).textContent = text;
  }
  return copy;
}

function uidOf(link) {
  return link?.querySelector("[data-field=uid]").textContent;
}

// The cards are replaced only when they changed, so that focus and selection stay where they are.
let shown = "";

async function refresh() {
  if (document.hidden) return;
  try {
    const response = await fetch("/api/orders/recent", { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(response.status);
    const body = await response.text();
    if (body !== shown) {
      const orders = JSON.parse(body);
      const focused = uidOf(document.activeElement?.closest("#newest a"));
      list.replaceChildren(...orders.map(cardOf));
      none.hidden = orders.length > 0;
      [...list.querySelectorAll("a")].find((link) => uidOf(link) === focused)?.focus();
      shown = body;
    }
    stale.hidden = true;
  } catch {
    stale.hidden = false;
  }
}

async function run() {
  await refresh();
  setTimeout(run, REFRESH_MS);
}

if (list) setTimeout(run, REFRESH_MS);
