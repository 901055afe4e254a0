// What every page of the console does beyond plain links and forms.
"use strict";

// Copy: a button copies the text of the element that it names.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const text = source ? source.textContent : button.dataset.copy;
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Without https the clipboard is closed to scripts: select it, so that a key press copies it.
    if (source) getSelection().selectAllChildren(source);
    button.textContent = "Press Ctrl-C";
  }
  setTimeout(() => (button.textContent = said), 1600);
});

// Dialogs: a button opens the dialog that it names; without a script the form in it is shown plain.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog").close();
});

// A form that destroys something asks first.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.asks;
  if (question && !confirm(question)) event.preventDefault();
});

// Theme: as the system has it, light, or dark; kept in a cookie so that pages arrive in it.
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-next]")) return;
  const root = document.documentElement;
  const order = ["", "light", "dark"];
  const next = order[(order.indexOf(root.dataset.theme || "") + 1) % order.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
  showTheme();
});

function showTheme() {
  const name = document.documentElement.dataset.theme || "system";
  for (const button of document.querySelectorAll("[data-theme-next]")) {
    button.setAttribute("aria-label", `Theme: ${name}`);
    button.title = `Theme: ${name}`;
  }
}

// Instants: written by the server in UTC, shown in the reader's own time; the title keeps UTC.
function localTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    time.title = time.textContent;
    time.textContent = at.toLocaleString(undefined, {
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
  }
}

// Notices that came with a part of a page leave after a while.
function ageNotices() {
  for (const notice of document.querySelectorAll("#notices > :not([data-aging])")) {
    notice.dataset.aging = "";
    setTimeout(() => notice.remove(), 8000);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  showTheme();
});
document.addEventListener("htmx:afterSettle", (event) => {
  localTimes(event.target);
  ageNotices();
});
