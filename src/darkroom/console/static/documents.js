// The reader's own key in the examples: pasted here, kept by this tab alone, sent nowhere.
const PLACE = /\$DARKROOM_API_KEY|YOUR_API_KEY|\bsk-…/g;
const NAME = "darkroom-docs-key";

function places() {
  const found = [];
  for (const code of document.querySelectorAll(".docs-text .code code")) {
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      // Colours may have cut the dollar sign from its name.
      if (PLACE.test(walker.currentNode.data)) found.push([walker.currentNode, walker.currentNode.data]);
      PLACE.lastIndex = 0;
    }
  }
  return found;
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-own-key]");
  if (!form) return;
  const input = form.querySelector("input");
  const written = places();
  const fill = () => {
    const key = input.value.trim();
    const isKey = /^sk-[0-9a-f]{48}$/.test(key);
    input.setAttribute("aria-invalid", String(Boolean(key) && !isKey));
    for (const [node, text] of written) node.data = isKey ? text.replace(PLACE, key) : text;
    if (isKey) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.value = sessionStorage.getItem(NAME) || "";
  input.addEventListener("input", fill);
  fill();
});

// The list of documents is open beside the text, and closed above it.
const wide = matchMedia("(min-width: 981px)");
function openList() {
  const list = document.querySelector(".docs-list");
  if (list && wide.matches) list.open = true;
}
document.addEventListener("DOMContentLoaded", openList);
