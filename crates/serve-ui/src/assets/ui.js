// The dashboard's script: asks the gateway for fragments of HTML and puts them where they belong. All content is written
// and escaped by the gateway; this file makes no markup of its own from anything that it is told.
"use strict";

(() => {
  const KEY = "gateway-ui-key";
  const SESSION = "gateway-ui-session";
  const THEME = "gateway-ui-theme";
  const MAX_ROWS = 500;

  const $ = (id) => document.getElementById(id);
  const trusted = window.trustedTypes
    ? window.trustedTypes.createPolicy("gateway-ui", { createHTML: (html) => html })
    : { createHTML: (html) => html };

  // Storage may be forbidden; then the page forgets, and works.
  const store = {
    get(where, name) {
      try { return where.getItem(name); } catch { return null; }
    },
    set(where, name, value) {
      try { value ? where.setItem(name, value) : where.removeItem(name); } catch { /* forgets */ }
    },
  };
  let key = store.get(sessionStorage, KEY);
  let session = store.get(sessionStorage, SESSION);

  function showTheme(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  }
  showTheme(store.get(localStorage, THEME));

  // Asking the gateway.

  class Refused extends Error {
    constructor(html, status) {
      super(`the gateway answered ${status}`);
      this.html = html;
      this.status = status;
    }
  }

  async function send(path, body, signal) {
    const headers = { "Content-Type": "application/json", "X-Gateway-UI": "1" };
    if (key) headers.Authorization = `Bearer ${key}`;
    // The list of sessions is the same in all of them, and must be there when this one has ended.
    if (session && !path.startsWith("sessions") && path !== "live") headers["X-Session-ID"] = session;
    const options = { method: "POST", headers, body: JSON.stringify(body), signal, cache: "no-store" };
    for (;;) {
      const used = key;
      const response = await fetch(`/ui/${path}`, options);
      if (response.status !== 401) return response;
      await askForKey(used);
      options.headers.Authorization = `Bearer ${key}`;
    }
  }

  async function ask(path, body = {}, signal) {
    let response;
    let html;
    try {
      response = await send(path, body, signal);
      html = await response.text();
    } catch (error) {
      if (error.name !== "AbortError") connection(false);
      throw error;
    }
    connection(true);
    if (!response.ok) throw new Refused(html, response.status);
    return html;
  }

  function connection(isThere) {
    const sign = $("connection");
    if (sign.classList.contains("lost") === !isThere) return;
    sign.classList.toggle("lost", !isThere);
    sign.textContent = isThere ? "" : "The gateway does not answer";
  }

  let asking = null;
  function askForKey(used) {
    // Another request has been given one meanwhile.
    if (key !== used) return Promise.resolve();
    asking ??= new Promise((resolve) => {
      const dialog = $("key-dialog");
      $("key-error").textContent = used ? "The gateway does not take this key." : "";
      $("key-form").onsubmit = () => {
        key = $("key").value.trim();
        $("key").value = "";
        store.set(sessionStorage, KEY, key);
        showKey();
        asking = null;
        resolve();
      };
      dialog.oncancel = (event) => event.preventDefault();
      if (!dialog.open) dialog.showModal();
    });
    return asking;
  }

  function showKey() {
    $("forget-key").hidden = !key;
  }

  // Putting fragments in their places.

  function put(place, html) {
    const open = new Set([...place.querySelectorAll("details[open][id]")].map((details) => details.id));
    const focused = place.contains(document.activeElement) ? handleOf(document.activeElement) : null;
    const scrolls = [...place.querySelectorAll(".scroll, pre")].map((box) => [box.scrollTop, box.scrollLeft]);
    place.innerHTML = trusted.createHTML(html);
    for (const details of place.querySelectorAll("details[id]")) if (open.has(details.id)) details.open = true;
    [...place.querySelectorAll(".scroll, pre")].forEach((box, index) => {
      if (scrolls[index]) [box.scrollTop, box.scrollLeft] = scrolls[index];
    });
    if (focused) place.querySelector(focused)?.focus({ preventScroll: true });
    localize(place);
    place.removeAttribute("aria-busy");
  }

  // What finds an element again in the fragment that comes after.
  function handleOf(element) {
    for (const name of ["id", "aria-label", "data-page"]) {
      const value = element.getAttribute(name);
      if (value) return `${element.localName}[${name}="${CSS.escape(value)}"]`;
    }
    const details = element.closest("details[id]");
    return details && element.localName === "summary" ? `#${CSS.escape(details.id)} > summary` : null;
  }

  function localize(place) {
    for (const time of place.querySelectorAll("time[data-clock]")) {
      const at = new Date(time.dateTime);
      const options = {
        date: { month: "short", day: "numeric" },
        minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
        time: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
      }[time.dataset.clock];
      time.textContent = at.toLocaleString([], options);
      time.title = at.toLocaleString();
    }
  }

  function problem(error) {
    if (error instanceof Refused) return error.html;
    return '<div class="notice bad" role="alert"><p>The gateway does not answer.</p></div>';
  }

  function toast(html) {
    const box = document.createElement("div");
    box.className = "toast";
    put(box, html);
    $("toasts").append(box);
    setTimeout(() => box.remove(), 6000);
  }

  // Regions: parts of a view that show one fragment, again and again.

  const regions = new Map();

  async function load(name, { quiet = false } = {}) {
    const region = document.querySelector(`[data-region="${name}"]`);
    const state = regions.get(name) ?? {};
    regions.set(name, state);
    state.abort?.abort();
    const abort = (state.abort = new AbortController());
    if (!quiet) region.setAttribute("aria-busy", "true");
    const form = region.dataset.params && $(region.dataset.params);
    const body = { ...(form ? collect(form) : {}), page: Number(region.dataset.page ?? 0) };
    let html;
    try {
      html = await ask(name, body, abort.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      html = problem(error);
    }
    if (abort.signal.aborted) return;
    state.loadedAt = Date.now();
    region.removeAttribute("aria-busy");
    // A fragment that is the same, or that somebody reads with the pointer, stays.
    if (state.html === html || (quiet && region.querySelector(".chart svg:hover"))) return;
    state.html = html;
    put(region, html);
  }

  function current() {
    const name = location.hash.slice(1).split("/")[0];
    return document.querySelector(`[data-view="${CSS.escape(name)}"]`) ? name : "overview";
  }

  function show() {
    const name = current();
    for (const view of document.querySelectorAll("[data-view]")) view.hidden = view.dataset.view !== name;
    for (const link of document.querySelectorAll("[data-view-link]")) {
      if (link.dataset.viewLink === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${$(`title-${name}`).textContent} · MCP Gateway`;
    for (const region of visibleRegions()) load(region.dataset.region, { quiet: regions.has(region.dataset.region) });
  }

  const visibleRegions = () => document.querySelectorAll("[data-view]:not([hidden]) [data-region]");

  function refresh() {
    if (document.hidden || asking) return;
    for (const region of visibleRegions()) {
      const every = Number(region.dataset.every) * 1000;
      const state = regions.get(region.dataset.region);
      if (every && state?.loadedAt && Date.now() - state.loadedAt >= every) load(region.dataset.region, { quiet: true });
    }
  }

  function reload(names) {
    for (const name of (names ?? "").split(" ").filter(Boolean)) {
      if (document.querySelector(`[data-view="${name}"]:not([hidden])`)) load(name, { quiet: true });
      else regions.delete(name);
    }
  }

  // Forms.

  function collect(form) {
    const body = { fields: {} };
    for (const control of form.elements) {
      if (!control.name || control.disabled || (control.type === "radio" && !control.checked)) continue;
      const isArgument = control.name.startsWith("/");
      if (control.dataset.many !== undefined) {
        body.fields[control.name] ??= [];
        if (control.checked) body.fields[control.name].push(control.value);
      } else if (isArgument) {
        body.fields[control.name] = control.value;
      } else {
        body[control.name] = control.type === "checkbox" ? control.checked : control.value;
      }
    }
    return body;
  }

  function showWhen(form) {
    const how = form.querySelector('[name="how"]:checked')?.value;
    for (const part of form.querySelectorAll("[data-when]")) {
      part.hidden = !part.dataset.when.split(" ").includes(how);
      // What is not shown must not keep the form from being sent.
      for (const control of part.querySelectorAll("input, select, textarea")) control.disabled = part.hidden;
    }
  }

  async function submit(form) {
    const target = $(form.dataset.target);
    const button = form.querySelector('button[type="submit"]');
    const cancel = form.querySelector("[data-cancel]");
    if (button.disabled) return;
    const abort = new AbortController();
    button.disabled = true;
    target.setAttribute("aria-busy", "true");
    if (cancel) {
      cancel.hidden = false;
      cancel.onclick = () => abort.abort();
    }
    form.closest("dialog")?.addEventListener("close", () => abort.abort(), { once: true, signal: abort.signal });
    try {
      put(target, await ask(form.dataset.form, collect(form), abort.signal));
      reload(form.dataset.reload);
    } catch (error) {
      put(target, error.name === "AbortError" ? "<p>Cancelled.</p>" : problem(error));
    } finally {
      button.disabled = false;
      if (cancel) cancel.hidden = true;
      target.removeAttribute("aria-busy");
    }
    markMistakes(form, target);
  }

  function markMistakes(form, target) {
    const wrong = new Set([...target.querySelectorAll("[data-mistake]")].map((item) => item.dataset.mistake));
    for (const control of form.elements) {
      if (!control.name?.startsWith("/")) continue;
      if (wrong.has(control.name)) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    }
    form.querySelector('[aria-invalid="true"]')?.focus();
  }

  // Buttons.

  async function act(button) {
    if (button.dataset.confirm && !(await confirmed(button.dataset.confirm))) return;
    button.disabled = true;
    try {
      toast(await ask(button.dataset.do, JSON.parse(button.dataset.body)));
      if (button.dataset.do === "sessions/delete" && JSON.parse(button.dataset.body).id === session) enter(null);
    } catch (error) {
      toast(problem(error));
    }
    button.disabled = false;
    reload(button.dataset.reload);
  }

  function confirmed(question) {
    const dialog = $("confirm");
    $("confirm-question").textContent = question;
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
  }

  async function openDrawer(button) {
    const [drawer, body] = [$("drawer"), $("drawer-body")];
    body.replaceChildren();
    body.setAttribute("aria-busy", "true");
    drawer.showModal();
    try {
      put(body, await ask(button.dataset.open, JSON.parse(button.dataset.body)));
    } catch (error) {
      put(body, problem(error));
    }
    for (const form of body.querySelectorAll("form")) showWhen(form);
    body.querySelector("form input:not([type=hidden]):not([type=radio]):not([disabled]), form textarea:not([disabled])")?.focus();
  }

  function enter(id) {
    session = id;
    store.set(sessionStorage, SESSION, id);
    $("in-session").hidden = !id;
    $("session-name").textContent = id ? `${id.slice(0, 14)}…` : "";
    // What another session showed must not look like this one's.
    for (const [name, state] of regions) {
      state.abort?.abort();
      document.querySelector(`[data-region="${name}"]`).replaceChildren();
    }
    regions.clear();
    if ($("drawer").open) $("drawer").close();
    show();
  }

  // The live log.

  const log = { rows: [], waiting: [], paused: false, missed: 0 };

  async function follow() {
    for (let pause = 500; ; pause = Math.min(pause * 2, 15000)) {
      try {
        const response = await send("live", {});
        if (response.status === 404) return say("Usage is not counted (usage.enabled), so there is no live log.");
        if (!response.ok) throw new Error(`the gateway answered ${response.status}`);
        await read(response.body, () => {
          pause = 500;
          connection(true);
          if (!log.paused) say("Live");
        });
      } catch { /* comes back below */ }
      say("The connection is lost; trying again…");
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async function read(stream, opened) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) heard(event, opened);
      draw();
    }
  }

  function heard(event, opened) {
    const [, name] = event.match(/^event: (.*)$/m) ?? [];
    const [, data] = event.match(/^data: ?(.*)$/m) ?? [];
    if (name === "open") opened();
    else if (name === "row") log.waiting.push(data);
    else if (name === "missed") log.missed += Number(data);
    if (log.waiting.length > MAX_ROWS) log.waiting.splice(0, log.waiting.length - MAX_ROWS);
  }

  function draw() {
    if (log.paused) {
      say(`Paused · ${log.waiting.length} waiting`);
      return;
    }
    if (log.waiting.length === 0) return;
    const box = document.createElement("template");
    box.innerHTML = trusted.createHTML(log.waiting.reverse().join(""));
    log.waiting = [];
    const rows = [...box.content.children];
    localize(box.content);
    rows.forEach((row) => { row.hidden = !isWanted(row); });
    $("log-rows").prepend(...rows);
    log.rows = [...rows, ...log.rows];
    for (const row of log.rows.splice(MAX_ROWS)) row.remove();
    count();
  }

  function isWanted(row) {
    const words = $("log-filter").value.trim().toLowerCase();
    const outcome = $("log-outcome").value;
    const isOk = row.dataset.outcome === "ok";
    if (outcome && (outcome === "ok") !== isOk) return false;
    return !words || row.textContent.toLowerCase().includes(words);
  }

  function filterLog() {
    for (const row of log.rows) row.hidden = !isWanted(row);
    count();
  }

  function count() {
    const shown = log.rows.filter((row) => !row.hidden).length;
    const missed = log.missed ? ` · ${log.missed} came too fast to be shown` : "";
    $("log-empty").hidden = log.rows.length > 0;
    say(`${log.paused ? "Paused" : "Live"} · ${shown} of ${log.rows.length} shown${missed}`);
  }

  function say(words) {
    if ($("log-status").textContent !== words) $("log-status").textContent = words;
  }

  // Wiring.

  function clicked(event) {
    if (event.target.closest("a.skip")) {
      // The address says which view is shown, and stays.
      event.preventDefault();
      $("main").focus();
      return;
    }
    const button = event.target.closest("button");
    if (!button || button.disabled) return;
    const data = button.dataset;
    if (data.do) act(button);
    else if (data.open) openDrawer(button);
    else if (data.dialog) openDialog($(data.dialog));
    else if (data.close !== undefined) button.closest("dialog").close();
    else if (data.enter) enter(data.enter);
    else if (data.page) {
      const region = button.closest("[data-region]");
      region.dataset.page = data.page;
      load(region.dataset.region).then(() => region.scrollIntoView({ block: "start" }));
    } else if (data.go) {
      const server = document.querySelector('#tools-params [name="server"]');
      server.value = data.setServer;
      document.querySelector('[data-region="tools"]').dataset.page = 0;
      location.hash = data.go;
      load("tools");
    }
  }

  function openDialog(dialog) {
    for (const form of dialog.querySelectorAll("form[data-form]")) {
      showWhen(form);
      $(form.dataset.target).replaceChildren();
    }
    dialog.showModal();
  }

  let typing;
  function changed(event) {
    const form = event.target.form;
    if (event.target.name === "how") showWhen(form);
    const name = form?.dataset.regionForm;
    if (!name) return;
    document.querySelector(`[data-region="${name}"]`).dataset.page = 0;
    clearTimeout(typing);
    typing = setTimeout(() => load(name, { quiet: true }), event.target.localName === "select" ? 0 : 200);
  }

  function submitted(event) {
    if (event.target.method === "dialog") return;
    event.preventDefault();
    if (event.target.dataset.form) submit(event.target);
  }

  function pointed(event) {
    const hit = event.target.closest?.(".hit");
    const chart = event.target.closest?.(".chart");
    if (!chart) return;
    const row = hit && chart.querySelector(`tr[data-step="${hit.dataset.step}"]`);
    const names = [...chart.querySelectorAll("thead th")].map((cell) => cell.textContent);
    const cells = row ? [...row.children].map((cell, index) => (index ? `${names[index]} ${cell.textContent}` : cell.textContent)) : [];
    chart.querySelector(".readout").textContent = cells.join(" · ");
  }

  function switchTheme() {
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme ?? (isDark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    // What the system wants anyway need not be kept.
    const kept = (next === "dark") === isDark ? null : next;
    showTheme(kept);
    store.set(localStorage, THEME, kept);
  }

  function begin() {
    document.addEventListener("click", clicked);
    document.addEventListener("submit", submitted);
    document.addEventListener("input", changed);
    document.addEventListener("pointermove", pointed);
    document.addEventListener("visibilitychange", refresh);
    window.addEventListener("hashchange", show);
    $("theme").addEventListener("click", switchTheme);
    $("forget-key").addEventListener("click", () => {
      key = null;
      store.set(sessionStorage, KEY, null);
      location.reload();
    });
    $("leave-session").addEventListener("click", () => enter(null));
    $("log-filter").addEventListener("input", filterLog);
    $("log-outcome").addEventListener("input", filterLog);
    $("log-pause").addEventListener("click", (event) => {
      log.paused = !log.paused;
      event.target.setAttribute("aria-pressed", String(log.paused));
      event.target.textContent = log.paused ? "Resume" : "Pause";
      draw();
      if (!log.paused) count();
    });
    $("log-clear").addEventListener("click", () => {
      log.rows.forEach((row) => row.remove());
      Object.assign(log, { rows: [], waiting: [], missed: 0 });
      count();
    });
    showKey();
    $("in-session").hidden = !session;
    $("session-name").textContent = session ? `${session.slice(0, 14)}…` : "";
    show();
    follow();
    setInterval(refresh, 1000);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
