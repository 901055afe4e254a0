// Rectangles: drawn on the clip or picture that they are for; the numbers beside it are what is sent.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  // A smaller one is a click that slipped.
  const SIDE_MIN = 0.01;
  const STEP = 0.01;
  const clamp = (value) => Math.min(1, Math.max(0, value));

  function enhance(rows) {
    const form = rows.closest("form");
    const source = form.elements[rows.dataset.drawnOn];
    const stage = document.getElementById("stage").content.firstElementChild.cloneNode(true);
    const svg = stage.querySelector("svg");
    const shown = stage.querySelector(".stage");
    const moment = stage.querySelector("input");
    const called = rows.firstElementChild.getAttribute("aria-label").replace(/ \d+$/, "");
    let media = null;
    let drag = null;

    const inputs = (row) => [...row.querySelectorAll("input")];
    const isEmpty = (row) => inputs(row).every((one) => !one.value.trim());

    function corners(row) {
      const values = inputs(row).map((one) => (one.value.trim() === "" ? NaN : Number(one.value)));
      return values.some(Number.isNaN) ? null : values;
    }

    function put(row, [left, top, right, bottom]) {
      const ordered = [Math.min(left, right), Math.min(top, bottom), Math.max(left, right), Math.max(top, bottom)];
      inputs(row).forEach((one, place) => (one.value = String(Math.round(clamp(ordered[place]) * 1000) / 1000)));
      draw();
    }

    // What changed is told as if it had been typed: the price and the code follow.
    const tell = () => rows.dispatchEvent(new Event("input", { bubbles: true }));

    function number() {
      [...rows.children].forEach((row, place) => {
        row.setAttribute("aria-label", `${called} ${place + 1}`);
        row.querySelector("button").setAttribute("aria-label", `Remove ${called.toLowerCase()} ${place + 1}`);
        for (const one of inputs(row)) one.name = one.name.replace(/\.\d+\./, `.${place}.`);
      });
    }

    function empty() {
      const found = [...rows.children].find(isEmpty);
      if (found || rows.children.length >= Number(rows.dataset.most)) return found;
      const row = rows.lastElementChild.cloneNode(true);
      for (const one of inputs(row)) one.value = "";
      row.querySelector("button").remove();
      rows.append(row);
      removable(row);
      number();
      return row;
    }

    function remove(row) {
      if (rows.children.length > 1) row.remove();
      else for (const one of inputs(row)) one.value = "";
      number();
      draw();
      tell();
    }

    function removable(row) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "quiet", textContent: "×" });
      button.addEventListener("click", () => remove(row));
      row.append(button);
    }

    function draw() {
      const focused = [...svg.children].indexOf(document.activeElement);
      svg.replaceChildren(
        ...[...rows.children].flatMap((row, place) => {
          const found = corners(row);
          if (!found) return [];
          const [left, top, right, bottom] = found.map((one) => clamp(one) * 1000);
          const box = document.createElementNS(SVG, "rect");
          const about = { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top), tabindex: 0, role: "button" };
          for (const [name, value] of Object.entries(about)) box.setAttribute(name, value);
          box.setAttribute("aria-label", `${called} ${place + 1}: arrow keys move it, with Shift they size it, Delete removes it`);
          box.row = row;
          return [box];
        }),
      );
      svg.children[focused]?.focus();
    }

    // -- The clip or picture under them ------------------------------------------------------

    function look() {
      const address = source.value.split("\n")[0].trim();
      const own = address.match(/\/(?:files|uploads)\/[0-9a-z]{32}\.([a-z0-9]+)$/);
      const path = own ? own[0] : "";
      if (media && media.dataset.path === path) return;
      media?.remove();
      media = null;
      stage.hidden = !own;
      if (!own) return;
      const isClip = ["mp4", "mov", "webm"].includes(own[1]);
      media = document.createElement(isClip ? "video" : "img");
      Object.assign(media, isClip ? { muted: true, playsInline: true, preload: "auto" } : { alt: "" });
      media.dataset.path = path;
      media.src = path;
      moment.parentElement.hidden = !isClip;
      moment.value = 0;
      shown.prepend(media);
    }

    moment.addEventListener("input", () => {
      if (Number.isFinite(media.duration)) media.currentTime = (media.duration * moment.value) / 1000;
    });

    // -- By pointer and by keys --------------------------------------------------------------

    const place = (event) => {
      const box = svg.getBoundingClientRect();
      return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
    };

    svg.addEventListener("pointerdown", (event) => {
      const [x, y] = place(event);
      const moved = event.target.row;
      const row = moved || empty();
      if (!row || event.button !== 0) return;
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      const from = moved ? corners(row) : [x, y, x, y];
      // Near its right bottom corner a rectangle is sized.
      const isSized = moved && from[2] - x < 0.03 && from[3] - y < 0.03;
      drag = { row, x, y, from, how: !moved || isSized ? "size" : "move" };
    });

    svg.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const [x, y] = place(event);
      const [left, top, right, bottom] = drag.from;
      if (drag.how === "size") put(drag.row, [left, top, x, y]);
      else put(drag.row, shifted(drag.from, x - drag.x, y - drag.y));
    });

    svg.addEventListener("pointerup", () => {
      if (!drag) return;
      const found = corners(drag.row);
      const { row } = drag;
      drag = null;
      if (!found) return;
      if (found[2] - found[0] < SIDE_MIN || found[3] - found[1] < SIDE_MIN) return remove(row);
      empty();
      tell();
    });

    svg.addEventListener("pointercancel", () => (drag = null));

    function shifted([left, top, right, bottom], x, y) {
      const across = Math.min(Math.max(x, -left), 1 - right);
      const down = Math.min(Math.max(y, -top), 1 - bottom);
      return [left + across, top + down, right + across, bottom + down];
    }

    svg.addEventListener("keydown", (event) => {
      const { row } = event.target;
      if (!row) return;
      const ways = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
      if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        remove(row);
      }
      const way = ways[event.key];
      if (!way) return;
      event.preventDefault();
      const [left, top, right, bottom] = corners(row);
      const [x, y] = way;
      const sized = [left, top, Math.max(left + SIDE_MIN, right + x), Math.max(top + SIDE_MIN, bottom + y)];
      put(row, event.shiftKey ? sized : shifted([left, top, right, bottom], x, y));
      tell();
    });

    for (const row of rows.children) removable(row);
    number();
    rows.before(stage);
    rows.addEventListener("input", draw);
    form.addEventListener("input", look);
    look();
    draw();
  }

  function enhanceAll() {
    for (const rows of document.querySelectorAll("[data-drawn-on]:not(.drawn)")) {
      rows.classList.add("drawn");
      enhance(rows);
    }
  }

  document.addEventListener("htmx:afterSettle", enhanceAll);
  enhanceAll();
})();
