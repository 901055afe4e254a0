// The playground: sends the form as the API's own request, follows its tasks, shows what they made.
"use strict";

(() => {
  const RUNS_MAX = 12;
  // A browser keeps six connections to a server, and pictures need some of them.
  const STREAMS_MAX = 3;
  const POLL_MS = 1000;
  const token = document.querySelector('meta[name="form-token"]').content;
  const page = document.getElementById("playground");
  const runs = document.getElementById("runs");
  const inputs = JSON.parse(page.dataset.inputs);
  const waiting = new Set();
  let streams = 0;

  const form = () => document.getElementById("request");
  const part = (within, name) => within.querySelector(`[data-of="${name}"]`);
  const made = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
  const seconds = (ms) => (ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`);
  const isEnded = (task) => task.task_status === "SUCCESS" || task.task_status === "FAILED";
  // Results lie on this server, whatever it is called from outside.
  const local = (address) => new URL(address, location.href).pathname;

  function show(element, text) {
    element.textContent = text;
    element.hidden = !text;
  }

  async function call(path, options = {}) {
    options.headers = { Accept: "application/json", "X-CSRF-Token": token, ...options.headers };
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw { message: "The server cannot be reached. Is the network up?" };
    }
    const body = await answer.json().catch(() => ({ message: `The server answered ${answer.status}.` }));
    if (!body.success) throw { ...body, http: answer.status };
    return body;
  }

  // The form as the JSON of a request: what is empty is left out, and of "More" what is as usual.
  function read() {
    const about = JSON.parse(form().dataset.fields);
    const body = {};
    const number = (text) => (Number.isNaN(Number(text)) ? text : Number(text));
    for (const [path, value] of new FormData(form())) {
      const [name, key, part] = path.split(".");
      const text = String(value).trim();
      if (name === "model") body.model = text;
      if (!text || !(name in about)) continue;
      const [type, usual, parts] = about[name];
      if (text === usual) continue;
      if (type === "number") body[name] = number(text);
      else if (type === "switch") body[name] = text === "true";
      else if (type === "lines") body[name] = text.split("\n").map((line) => line.trim()).filter(Boolean);
      else if (type === "texts") (body[name] ??= []).push(text);
      else if (type === "words") (body[name] ??= {})[key] = text;
      else if (type === "rows") ((body[name] ??= {})[key] ??= {})[part] = parts[part] === "number" ? number(text) : text;
      else body[name] = text;
    }
    // Rows in their order, without the numbers that empty ones took.
    for (const [name, [type]] of Object.entries(about)) if (type === "rows" && body[name]) body[name] = Object.values(body[name]);
    return body;
  }

  // -- Refusals: said at their field, or above the button ---------------------------------

  function clearProblems() {
    for (const said of form().querySelectorAll("[data-problem]")) show(said, "");
    for (const field of form().querySelectorAll(".field.wrong")) field.classList.remove("wrong");
    for (const control of form().querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
    show(document.getElementById("problem"), "");
  }

  function refuse(problem) {
    const said = form().querySelector(`[data-problem="${CSS.escape(problem.field || "")}"]`);
    if (!said) {
      const all = document.getElementById("problem");
      show(all, problem.message);
      if (problem.http === 402) all.append(" ", link("/api/pricing", "Buy credits"));
      if (problem.request_id) all.append(" ", link(`/api/history/${problem.request_id}`, "Call record"));
      return;
    }
    const field = said.closest(".field");
    const more = field.closest("details");
    if (more) more.open = true;
    field.classList.add("wrong");
    show(said, problem.message);
    const control = field.querySelector("textarea:not([hidden]), input:not([hidden]), select");
    if (control) {
      control.setAttribute("aria-invalid", "true");
      control.focus();
    }
  }

  function link(address, text) {
    const made = document.createElement("a");
    made.href = address;
    made.textContent = text;
    return made;
  }

  // -- Generate ----------------------------------------------------------------------------

  async function generate() {
    const { kind, route, outputs } = form().dataset;
    const body = read();
    const button = document.getElementById("generate");
    clearProblems();
    button.disabled = true;
    try {
      const answer = await call(route, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      begin(kind, outputs, body, answer);
    } catch (problem) {
      refuse(problem);
    } finally {
      // The form may have been swapped for another meanwhile.
      document.getElementById("generate").disabled = false;
      button.disabled = false;
    }
  }

  function begin(kind, outputs, body, answer) {
    document.getElementById("no-runs").hidden = true;
    const shown = made("run");
    part(shown, "words").textContent = body.prompt || kind;
    part(shown, "about").textContent = body.model;
    part(shown, "record").href = `/api/history/${answer.request_id}`;
    part(shown, "request").textContent = answer.request_id;
    const run = { kind, outputs, body, batch: answer.data.batch_id, tasks: new Map() };
    for (const id of answer.data.task_ids) {
      const task = { id, run, element: made("task"), since: performance.now(), isEnded: false };
      run.tasks.set(id, task);
      part(shown, "tasks").append(task.element);
      part(task.element, "cancel").addEventListener("click", () => cancel(task));
      part(task.element, "same").addEventListener("click", () => seed(task, task.seed));
      part(task.element, "fresh").addEventListener("click", () => again(task));
      waiting.add(task);
    }
    runs.prepend(shown);
    while (runs.children.length > RUNS_MAX) runs.lastElementChild.remove();
    // On a phone the results stand below the form.
    if (matchMedia("(max-width: 1000px)").matches) shown.scrollIntoView({ block: "center" });
    spent();
    follow(run);
  }

  function follow(run) {
    if (streams + run.tasks.size > STREAMS_MAX) {
      poll(run);
      return;
    }
    for (const task of run.tasks.values()) stream(task);
  }

  function stream(task) {
    const source = new EventSource(`/v1/generation/${task.id}/events`);
    streams += 1;
    const close = () => {
      source.close();
      streams -= 1;
    };
    source.addEventListener("task", (event) => {
      update(task, JSON.parse(event.data));
      if (task.isEnded) close();
    });
    source.addEventListener("error", () => {
      // A stream that broke off is opened again by the browser; one that was refused is not.
      if (source.readyState !== EventSource.CLOSED || task.isEnded) return;
      close();
      poll(task.run);
    });
  }

  async function poll(run) {
    if (run.isPolled) return;
    run.isPolled = true;
    while ([...run.tasks.values()].some((task) => !task.isEnded)) {
      await new Promise((resolve) => setTimeout(resolve, document.hidden ? 5 * POLL_MS : POLL_MS));
      try {
        const answer = await call(`/v1/generation/batch/${run.batch}/status`);
        for (const told of answer.data) update(run.tasks.get(told.task_id), told);
      } catch (problem) {
        if (problem.http && problem.http < 500 && problem.http !== 429) return;
      }
    }
  }

  async function cancel(task) {
    const button = part(task.element, "cancel");
    button.disabled = true;
    try {
      update(task, (await call(`/v1/generation/${task.id}/cancel`, { method: "POST" })).data);
    } catch (problem) {
      show(part(task.element, "problem"), problem.message);
      button.disabled = false;
    }
  }

  // -- One task as it goes -------------------------------------------------------------------

  const TONES = { PENDING: "warn", PROCESSING: "run", SUCCESS: "ok", FAILED: "bad" };

  function update(task, told) {
    if (!task || task.isEnded) return;
    const { element } = task;
    element.dataset.status = told.task_status;
    const badge = part(element, "status");
    badge.textContent = told.task_status;
    badge.className = `badge ${TONES[told.task_status]}`;
    element.querySelector("progress").value = told.progress;
    look(task, told.preview_url);
    show(part(element, "place"), placeOf(told));
    if (isEnded(told)) end(task, told);
  }

  // What it looks like so far: each address is another picture, until which the last stays.
  function look(task, address) {
    const place = part(task.element, "preview");
    if (!address) {
      place.replaceChildren();
      return;
    }
    const shown = place.firstElementChild || document.createElement("img");
    const path = `/gallery/${task.id}/preview${new URL(address).search}`;
    if (shown.getAttribute("src") === path) return;
    place.replaceChildren(Object.assign(shown, { className: "preview", alt: "What it looks like so far", src: path }));
  }

  function placeOf(told) {
    if (told.cancel_asked_at) return "Asked to stop…";
    if (told.task_status === "PROCESSING") return `${told.progress} %`;
    if (!told.queue_position) return "";
    const least = told.queue_position_is_minimum ? " or later" : "";
    const soon = told.estimated_start_seconds;
    const start = soon === null || soon === undefined ? "" : `, about ${seconds(soon * 1000)} to go`;
    return `Place ${told.queue_position}${least} in the queue${start}`;
  }

  function end(task, told) {
    const { element, run } = task;
    task.isEnded = true;
    task.seed = told.seed;
    waiting.delete(task);
    element.querySelector(".task-wait").hidden = true;
    if (told.task_status === "FAILED") {
      show(part(element, "problem"), `${told.msg} Its credits were given back.`);
    }
    const outputs = part(element, "outputs");
    outputs.hidden = false;
    for (const address of told[run.outputs] || []) outputs.append(output(address, run, told));
    const ran = told.finished_at && told.started_at && new Date(told.finished_at) - new Date(told.started_at);
    const facts = [
      `${told.cost.toLocaleString()} credits`,
      `seed ${told.seed}`,
      told.served_by && `by ${told.served_by}`,
      ran && seconds(ran),
    ];
    show(part(element, "facts"), facts.filter(Boolean).join(" · "));
    part(element, "open").href = `/gallery/${task.id}`;
    part(element, "acts").hidden = false;
    spent();
  }

  function output(address, run, told) {
    const shown = made("output");
    const path = local(address);
    const ending = path.split(".").pop();
    let element;
    if (["mp4", "webm", "mov"].includes(ending)) {
      element = Object.assign(document.createElement("video"), { controls: true, loop: true });
      if (told.cover_url) element.poster = local(told.cover_url);
    } else if (["mp3", "wav", "ogg", "flac", "m4a"].includes(ending)) {
      element = Object.assign(document.createElement("audio"), { controls: true });
    } else if (["txt", "json"].includes(ending)) {
      element = Object.assign(document.createElement("p"), { className: "wrap pre-line" });
      element.textContent = told.prompt || told.speech_text || script(told.scripts);
    } else {
      element = Object.assign(document.createElement("img"), { alt: run.body.prompt || run.kind });
    }
    if (element.tagName !== "P") element.src = path;
    part(shown, "shown").append(element);
    if (ending === "mp3" && told.cover_url) {
      element.before(Object.assign(document.createElement("img"), { src: local(told.cover_url), alt: "" }));
    }
    if (told.lyrics) element.after(Object.assign(document.createElement("p"), { className: "wrap pre-line", textContent: told.lyrics }));
    part(shown, "full").href = path;
    part(shown, "download").href = path;
    part(shown, "copy").dataset.copy = address;
    const type = element.tagName === "IMG" ? `image/${ending.replace("jpg", "jpeg")}` : `${element.tagName.toLowerCase()}/${ending}`;
    const taker = inputs.find((one) => one.kind === form().dataset.kind && one.types.includes(type)) || inputs.find((one) => one.types.includes(type));
    const use = part(shown, "use");
    use.hidden = !taker;
    use.addEventListener("click", () => useAsInput(taker.kind, taker.field, address));
    return shown;
  }

  function script(turns) {
    return (turns || []).map((turn) => `${turn.speaker_name}: ${turn.content}`).join("\n");
  }

  // The credits changed: have the price and what remains told anew.
  function spent() {
    document.body.dispatchEvent(new Event("spent"));
  }

  // -- Trying again --------------------------------------------------------------------------

  function seed(task, value) {
    const control = form().elements.seed;
    if (!control) return;
    control.value = value;
    const more = control.closest("details");
    if (more) more.open = true;
    control.dispatchEvent(new Event("input", { bubbles: true }));
    control.focus();
  }

  function again(task) {
    const control = form().elements.seed;
    if (control) control.value = "";
    generate();
  }

  async function useAsInput(kind, field, address) {
    const { elements, dataset } = form();
    if (dataset.kind !== kind || !elements[field]) {
      const values = Object.fromEntries(new FormData(form()));
      const path = `/playground/form?kind=${encodeURIComponent(kind)}`;
      await htmx.ajax("POST", path, { source: "#maker", target: "#maker", values });
      enhance();
    }
    const control = form().elements[field];
    addTo(control, address);
    control.closest(".field").scrollIntoView({ block: "center" });
  }

  // -- Files: dropped, chosen, pasted or named; the text area behind keeps their addresses -----

  const lines = (control) => control.value.split("\n").map((line) => line.trim()).filter(Boolean);

  function set(control, addresses) {
    control.value = addresses.join("\n");
    control.dispatchEvent(new Event("input", { bubbles: true }));
    drawFiles(control);
  }

  function addTo(control, address) {
    const limit = Number(control.closest("[data-files]").dataset.filesMax);
    const kept = lines(control).filter((one) => one !== address);
    set(control, limit === 1 ? [address] : [...kept, address]);
  }

  function drawFiles(control) {
    const list = part(control.closest("[data-files]"), "list");
    list.replaceChildren(
      ...lines(control).map((address) => {
        const item = made("file");
        const own = address.match(/\/(?:files|uploads)\/([0-9a-z]{32}\.[a-z0-9]+)$/);
        const ending = own && own[1].split(".").pop();
        // Small versions are made of pictures; a clip shows itself.
        if (["png", "jpg", "webp"].includes(ending)) part(item, "thumb").append(Object.assign(document.createElement("img"), { src: `/gallery/previews/${own[1]}`, alt: "" }));
        if (["mp4", "mov", "webm"].includes(ending)) part(item, "thumb").append(Object.assign(document.createElement("video"), { src: own[0], muted: true, preload: "metadata" }));
        part(item, "name").textContent = own ? own[1].slice(0, 8) : address;
        const remove = part(item, "remove");
        remove.setAttribute("aria-label", `Remove ${own ? own[1].slice(0, 8) : address}`);
        remove.addEventListener("click", () => set(control, lines(control).filter((one) => one !== address)));
        return item;
      }),
    );
  }

  async function upload(control, files) {
    const field = control.closest(".field");
    const said = field.querySelector("[data-problem]");
    show(said, "");
    const list = part(field, "list");
    for (const file of files) {
      const item = made("file");
      part(item, "name").textContent = `${file.name || "a picture"} is being uploaded…`;
      part(item, "remove").hidden = true;
      list.append(item);
      const body = new FormData();
      body.append("file", file);
      try {
        const answer = await call("/v1/generation/upload-file", { method: "POST", body });
        addTo(control, answer.data.object_url_list[0]);
      } catch (problem) {
        item.remove();
        show(said, `${file.name}: ${problem.message}`);
      }
    }
  }

  function enhanceFiles(box) {
    const control = box.querySelector("textarea");
    const drop = made("drop");
    const choose = part(drop, "choose");
    const zone = part(drop, "zone");
    control.hidden = true;
    box.append(drop);
    box.closest(".field").querySelector("label").htmlFor = choose.id = `${control.id}-choose`;
    choose.accept = box.dataset.accept;
    choose.multiple = Number(box.dataset.filesMax) > 1;
    choose.addEventListener("change", () => {
      upload(control, [...choose.files]);
      choose.value = "";
    });
    for (const name of ["dragover", "dragleave", "drop"]) {
      zone.addEventListener(name, (event) => {
        event.preventDefault();
        zone.classList.toggle("over", name === "dragover");
        if (name === "drop") upload(control, [...event.dataTransfer.files]);
      });
    }
    const address = part(drop, "address");
    const add = () => {
      if (address.value.trim()) addTo(control, address.value.trim());
      address.value = "";
    };
    part(drop, "add").addEventListener("click", add);
    address.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      add();
    });
    drawFiles(control);
  }

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    const box = document.querySelector("[data-files] textarea");
    if (!files.length || !box) return;
    event.preventDefault();
    upload(box, files);
  });

  // -- The form's small parts ----------------------------------------------------------------

  function count(counter) {
    const control = document.getElementById(counter.dataset.count);
    // The server counts characters, and not the halves of which JavaScript's texts are made.
    const length = [...control.value].length;
    counter.textContent = `${length} / ${counter.dataset.charsMax}`;
    counter.classList.toggle("error", length > Number(counter.dataset.charsMax));
  }

  function enhance() {
    for (const counter of document.querySelectorAll("[data-count]")) count(counter);
    for (const box of document.querySelectorAll("[data-files]:not(:has(.drop))")) enhanceFiles(box);
  }

  page.addEventListener("input", (event) => {
    const { target } = event;
    if (target.type === "range") {
      const output = target.closest(".field").querySelector("output");
      if (output) output.value = target.value;
    }
    for (const counter of document.querySelectorAll(`[data-count="${target.id}"]`)) count(counter);
    if ("search" in target.dataset) search(target);
    if (target.type === "radio" && target.closest(".picker")) showChosen(target);
    const field = target.closest(".field.wrong");
    if (field) clearProblems();
  });

  // -- Pickers: a list to search, of models or of a field's values -----------------------------

  function search(control) {
    const picker = control.closest(".picker");
    const words = control.value.toLowerCase().split(/\s+/).filter(Boolean);
    const items = [...picker.querySelectorAll("li")];
    const parts = (item) => item.dataset.words.split(/[\s,]+/);
    // A word that stands there whole is found whole: "male" is not to find who is female.
    const whole = words.filter((word) => items.some((item) => parts(item).includes(word)));
    let found = 0;
    for (const item of items) {
      item.hidden = !words.every((word) => (whole.includes(word) ? parts(item).includes(word) : item.dataset.words.includes(word)));
      found += item.hidden ? 0 : 1;
    }
    picker.querySelector("[data-none]").hidden = found > 0;
  }

  function showChosen(radio) {
    const words = [...radio.closest("label").querySelectorAll("span")].map((one) => one.cloneNode(true));
    radio.closest(".picker").querySelector("[data-chosen]").replaceChildren(words[0], " ", ...words.slice(1));
  }

  function close(picker) {
    picker.open = false;
    picker.querySelector("summary").focus();
  }

  page.addEventListener("keydown", (event) => {
    const picker = event.target.closest(".picker[open]");
    if (picker && event.key === "Enter" && !event.target.closest("a, summary")) {
      event.preventDefault();
      if ("search" in event.target.dataset) picker.querySelector("li:not([hidden]) :is(a, input)")?.click();
      if (picker.querySelector("input[type=radio]")) close(picker);
    }
    if (picker && event.key === "Escape") close(picker);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form().requestSubmit();
  });

  page.addEventListener(
    "toggle",
    (event) => {
      if (event.target.matches(".picker") && event.target.open) event.target.querySelector("[data-search]").focus();
    },
    true,
  );

  document.addEventListener("click", (event) => {
    for (const picker of document.querySelectorAll(".picker[open]")) {
      // A click of the pointer on a name chooses it; arrow keys click too, and go on through the list.
      const isChosen = event.detail && event.target.closest(".picker label");
      if (isChosen) close(picker);
      else if (!picker.contains(event.target)) picker.open = false;
    }
  });

  page.addEventListener("submit", (event) => {
    event.preventDefault();
    generate();
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    enhance();
    // What was clicked to choose a model is gone with its list: stay where it was.
    if (event.target.id === "maker" && document.activeElement === document.body) {
      document.getElementById("picker-summary").focus();
    }
    const told = document.querySelector("#quote [data-balance]");
    const balance = document.querySelector(".balance .strong");
    if (told && balance) balance.textContent = told.dataset.balance;
  });

  setInterval(() => {
    const now = performance.now();
    for (const task of waiting) part(task.element, "elapsed").textContent = seconds(now - task.since);
  }, 100);

  enhance();
})();
