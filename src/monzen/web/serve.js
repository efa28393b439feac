"use strict";
(() => {
  const data = () => JSON.parse(document.getElementById("data").textContent);
  let known = data();
  const words = (key, values = {}) => (known.words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  const make = (name, texts = [], attributes = {}) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...[texts].flat());
    return element;
  };
  const ask = (path, body) => fetch(path, {
    method: body ? "POST" : "GET",
    headers: body ? { "Content-Type": "application/json", "X-Monzen": known.proof } : {},
    body: body && JSON.stringify(body),
    credentials: "same-origin",
  });

  const dialog = (name, children) => {
    document.getElementById(name)?.remove();
    const found = make("dialog", children, { id: name });
    found.addEventListener("close", () => found.remove());
    document.body.append(found);
    found.showModal();
    return found;
  };
  const button = (key, act, attributes = {}) => {
    const found = make("button", words(key), { type: "button", class: "do", ...attributes });
    found.addEventListener("click", act);
    return found;
  };
  const told = (title, text) => {
    const box = dialog("told", [make("h2", title), make("pre", make("bdi", text), { role: "status" })]);
    box.append(button("close", () => box.close(), { autofocus: "" }));
  };

  const explain = async (target) => {
    const answer = await ask(`/why?${new URLSearchParams({ target, lang: known.language })}`);
    const found = await answer.json();
    told(found.target ?? target, found.text);
  };
  const act = async (verb, typed, label) => {
    if (!typed) return;
    if (verb === "why") { explain(typed); return; }
    const checked = await ask(`/check?${new URLSearchParams({ do: verb, target: typed, lang: known.language })}`);
    const { text: wrong, target } = checked.ok ? await checked.json() : { text: words("refused", { status: checked.status }) };
    if (wrong) { told(words(verb), wrong); return; }
    const shown = label ?? target;  // a row says more than its number
    document.getElementById("detail")?.close();
    const time = make("select", known.times.map(([value, label]) => make("option", label, { value })));
    const box = dialog("sure", [make("h2", words(`sure-${verb}`, { target: shown })), make("p", words(`what-${verb}`))]);
    if (verb === "deny") box.append(make("p", make("label", [words("for"), time])));
    const yes = button(verb, async () => {
      yes.disabled = true;
      const answer = await ask("/do", { do: verb, target, for: verb === "deny" ? time.value : "", language: known.language });
      const found = answer.ok ? await answer.json() : { text: words("refused", { status: answer.status }) };
      box.close();
      told(words(verb), found.text);
      renew();
    });
    box.append(make("p", [yes, " ", button("cancel", () => box.close(), { autofocus: "" })]));
  };

  document.addEventListener("click", (event) => {
    const found = event.target.closest?.("[data-do]");
    if (found) act(found.dataset.do, found.dataset.for, found.dataset.shown);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "act") return;
    event.preventDefault();
    act(event.submitter?.value || "why", event.target.elements.target.value.trim());
  });
  document.addEventListener("monzen-detail", (event) => {
    const { dialog: box, row } = event.detail;
    const verbs = known.may ? ["why", "deny", "release", "allow"] : ["why"];
    box.append(make("p", verbs.flatMap((verb) => [button(verb, () => act(verb, row.target)), " "])));
  });

  // A new page while somebody reads, types or answers would be rude: it waits.
  const busy = () => document.querySelector("dialog[open]") || document.querySelector("#act input")?.value
    || document.getElementById("find")?.value || String(getSelection());
  let waiting = false;
  const renew = async () => {
    if (busy()) { waiting = true; return; }
    waiting = false;
    let text;
    try {
      const answer = await ask(`/page?${new URLSearchParams({ lang: known.language })}`);
      if (!answer.ok) return;
      text = await answer.text();
    } catch { return; }
    if (busy()) { waiting = true; return; }  // meanwhile somebody began to type
    const page = new DOMParser().parseFromString(text, "text/html");
    const old = document.querySelector("main"), open = [...old.querySelectorAll("details")].map((d) => d.open);
    const focus = document.activeElement?.id, at = scrollY;
    const fresh = document.adoptNode(page.querySelector("main"));
    if (open.length === fresh.querySelectorAll("details").length) fresh.querySelectorAll("details").forEach((d, i) => { d.open = open[i]; });
    document.getElementById("data").textContent = page.getElementById("data").textContent;
    old.replaceWith(fresh);
    known = data();
    monzen.renew(known);
    scrollTo(0, at);
    if (focus) document.getElementById(focus)?.focus();
  };
  const state = (key) => { const place = document.getElementById("live"); if (place) { place.textContent = words(key); place.dataset.state = key; } };
  const listen = () => {
    const events = new EventSource("/events");
    events.addEventListener("message", () => { state("live"); renew(); });
    events.addEventListener("open", () => state("live"));
    events.addEventListener("error", () => state("lost"));
  };
  setInterval(() => { if (waiting) renew(); }, 1000);
  listen();
})();
