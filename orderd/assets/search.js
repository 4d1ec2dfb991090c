// Says that an order is being looked for, from the moment the form is sent until its answer is here.

const form = document.querySelector("form[role=search]");
const loading = document.getElementById("loading");

function show(isLoading) {
  form.ariaBusy = String(isLoading);
  loading.textContent = isLoading ? loading.dataset.text : "";
}

form.addEventListener("submit", () => show(true));
// The browser may bring the page back as it was left.
addEventListener("pageshow", () => show(false));
