// The pages of API keys: the search among models, and a key that a reload does not make again.
"use strict";

for (const search of document.querySelectorAll("[data-filters]")) {
  const list = document.getElementById(search.dataset.filters);
  search.hidden = false;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const one of list.querySelectorAll("label")) {
      one.hidden = !one.textContent.toLowerCase().includes(wanted);
      found += !one.hidden;
    }
    list.querySelector("[data-none]").hidden = found > 0;
  });
  // Enter searches; it does not send the form.
  search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
}

// The answer to a form stands in the history under the address of the list, which a reload shows.
const made = document.querySelector("[data-instead]");
if (made) history.replaceState(null, "", made.dataset.instead);
