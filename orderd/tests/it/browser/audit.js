// What a person would notice about the page as it is shown, each offence as a sentence.
(() => {
  const offences = [];
  const visible = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  const named = (e) => (e.getAttribute("aria-label") || e.innerText || e.labels?.[0]?.innerText || "").trim();

  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) offences.push(`scrolls sideways: ${root.scrollWidth} > ${innerWidth}`);
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect();
    const isHidden = !visible(e) || getComputedStyle(e).clipPath !== "none" || e.closest(".hidden-text, .skip, thead");
    if (!isHidden && box.right > innerWidth + 1) offences.push(`sticks out: ${e.outerHTML.slice(0, 120)}`);
  }
  if (document.querySelectorAll("h1").length !== 1) offences.push("not exactly one h1");
  for (const landmark of ["header", "main", "nav[aria-label]"]) {
    if (!document.querySelector(landmark)) offences.push(`no ${landmark}`);
  }
  if (!document.title.trim()) offences.push("no title");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) offences.push(`the id ${id} twice`);
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
    const named = `${e.getAttribute("aria-describedby") ?? ""} ${e.getAttribute("aria-labelledby") ?? ""}`;
    for (const id of named.trim().split(/\s+/)) {
      if (!ids.includes(id)) offences.push(`nothing has the id ${id}`);
    }
  }
  for (const e of document.querySelectorAll("a, button, input, select, textarea")) {
    if (visible(e) && !named(e)) offences.push(`without a name: ${e.outerHTML}`);
  }
  for (const e of document.querySelectorAll("img:not([alt]), svg:not([role]):not([aria-hidden])")) {
    offences.push(`without a text: ${e.outerHTML.slice(0, 120)}`);
  }

  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).map((c) => {
      const share = c / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((channels(color)[3] ?? 1) === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  for (const e of document.querySelectorAll("body *")) {
    const ownText = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!ownText || !visible(e) || e.closest("svg")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) offences.push(`contrast ${ratio.toFixed(2)}: ${e.outerHTML.slice(0, 120)}`);
  }
  return offences;
})()
