// The page: its parts, the session, and a question on its way.

import { ApiError, ask, get, post } from "./api.js";
import { AnswerView, recent } from "./answer.js";
import { button, el, fill } from "./dom.js";
import { SceneMap } from "./map.js";
import { showStatus, showWatches } from "./panels.js";
import { SceneList } from "./scenes.js";

const at = (id) => document.getElementById(id);
const RIGHTS = ["read", "ask", "write"];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
let right = null;
const may = (what) => right !== null && RIGHTS.indexOf(right) >= RIGHTS.indexOf(what);

/** Show what is wrong in one sentence with its remedy; null takes it away. */
function problem(error) {
  if (error instanceof ApiError && error.status === 401) { logIn(); return; }
  const known = error instanceof ApiError;
  if (error && !known) console.error(error);
  fill(at("problem"), error && el("div", { class: "notes failed" },
    el("p", {}, el("b", {}, known ? ended(error.message) : "The page itself failed."), " ", known ? error.fix && ended(error.fix) : "Load it again."),
    button("Close", () => problem(null))));
}
const ended = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

const map = new SceneMap(at("map"), at("pixels"), at("over"));
const view = new AnswerView(at("stages"), at("answer"), { map, askAgain: send, may, problem });
const scope = { bbox: null, scenes: [] };
const list = new SceneList(at("part-scenes"), at("time"), { map, askAbout, problem });
list.onChange = showScope;

// Parts of the page

const tabs = [...document.querySelectorAll("[role=tab]")];
const loaders = {
  "tab-watches": () => showWatches(at("part-watches"), { open, problem }),
  "tab-status": () => showStatus(at("part-status"), { may, problem, changed: loadScenes }),
};
function select(tab, focus = true) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    at(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
  problem(null);
  if (loaders[tab.id]) loaders[tab.id]().catch(problem);
}
tabs.forEach((tab, number) => {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = { Home: 0, End: tabs.length - 1 }[event.key] ?? (step && (number + step + tabs.length) % tabs.length);
    if (to !== undefined) { event.preventDefault(); select(tabs[to]); }
  });
});

// Light and dark

const schemes = { dark: "Light", light: "Dark" };
function scheme(name) {
  document.documentElement.style.colorScheme = name;
  at("scheme").textContent = schemes[name];
}
const now = () => document.documentElement.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
try { const kept = localStorage.getItem("scheme"); if (kept in schemes) scheme(kept); } catch { /* no storage */ }
at("scheme").textContent = schemes[now()];
at("scheme").addEventListener("click", () => {
  const other = now() === "dark" ? "light" : "dark";
  scheme(other);
  try { localStorage.setItem("scheme", other); } catch { /* no storage */ }
});

// Where a question looks

function showScope() {
  const parts = [];
  const chip = (text, act) => el("span", { class: "chip" }, text, el("button", { type: "button", class: "off", "aria-label": `Leave out: ${text}`, on: { click: () => { act(); showScope(); at("question").focus(); } } }, "×"));
  if (scope.bbox) parts.push(chip(`area ${scope.bbox.map((each) => each.toFixed(3)).join(", ")}`, () => { scope.bbox = null; map.setArea(null); }));
  for (const key of scope.scenes) parts.push(chip(`scene ${key}`, () => { scope.scenes = scope.scenes.filter((each) => each !== key); }));
  if (list.datetime) parts.push(el("span", { class: "chip" }, `time ${list.datetime}`));
  fill(at("scope"), el("span", { class: "small muted" }, parts.length ? "Looks in" : "Looks in all scenes"), parts);
}

function askAbout(key) {
  if (!scope.scenes.includes(key)) scope.scenes.push(key);
  select(tabs[0], false);
  showScope();
  map.show(key);
  at("question").focus();
}

let stopDrawing = null;
at("draw").addEventListener("click", () => {
  if (stopDrawing) { stopDrawing(); return; }
  at("draw").setAttribute("aria-pressed", "true");
  map.say("Drag over the map to draw an area; Escape ends it");
  stopDrawing = map.draw((bbox) => {
    stopDrawing = null;
    at("draw").setAttribute("aria-pressed", "false");
    map.say(null);
    if (bbox) scope.bbox = bbox;
    map.setArea(scope.bbox);
    showScope();
  });
});
at("use-view").addEventListener("click", () => { scope.bbox = map.viewBox(); map.setArea(scope.bbox); showScope(); });

// A question on its way

let working = null;
async function send(question, shownAs) {
  if (working) working.abort();
  const own = new AbortController();
  working = own;
  problem(null);
  select(tabs[0], false);
  view.start(shownAs || question.question);
  at("stages").scrollIntoView({ block: "nearest" });
  const asked = { ...question };
  if (scope.bbox) asked.bbox = scope.bbox;
  if (scope.scenes.length) asked.scenes = scope.scenes;
  if (list.datetime) asked.datetime = list.datetime;
  try {
    let record = null;
    await ask(asked, (name, document) => {
      if (working !== own) return;
      if (name === "understood") view.understood(document);
      if (name === "found") view.found(document);
      if (name === "answered") { record = document; showAnswer(document.answer_id).catch(problem); }
    }, own.signal);
    return record;
  } catch (error) {
    if (working !== own || own.signal.aborted) return null;
    view.failed();
    problem(error);
    return null;
  } finally {
    if (working === own) working = null;
  }
}

async function showAnswer(id) {
  const shown = await get(`/api/answers/${encodeURIComponent(id)}/view`);
  view.answered(shown);
  history.replaceState(null, "", `#answer=${encodeURIComponent(id)}`);
}

async function open(id) {
  problem(null);
  select(tabs[0], false);
  view.start("");
  view.stage("Reading the answer");
  try {
    await showAnswer(id);
    at("answer").querySelector(".said").focus();
  } catch (error) { view.failed(); fill(at("answer")); problem(error); }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("question").value.trim();
  if (!text) { problem(new ApiError(422, "The question is empty", "Ask something, e.g. \"Where is the pier?\"")); at("question").focus(); return; }
  const lines = at("choosing").open ? at("choices").value.split("\n").map((line) => line.trim()).filter(Boolean) : [];
  if (lines.length > LETTERS.length) { problem(new ApiError(422, `There are ${lines.length} choices`, `Give at most ${LETTERS.length}`)); at("choices").focus(); return; }
  send({ question: text, ...(lines.length > 0 && { choices: Object.fromEntries(lines.map((line, number) => [LETTERS[number], line])) }) });
});
at("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); at("ask").requestSubmit(); }
});

// The session

function logIn() {
  const dialog = at("login");
  if (!dialog.open) dialog.showModal();
}
at("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  fill(at("login-problem"));
  try {
    await post("/api/session", { token: at("token").value });
    at("token").value = "";
    at("login").close();
    await begin();
  } catch (error) {
    fill(at("login-problem"), `${ended(error.message)} ${error.fix ? ended(error.fix) : ""}`);
  }
});

async function loadScenes() {
  const found = await get("/api/footprints?limit=1000");
  map.setScenes(found.features);
  list.set(found.features, found.total);
  showScope();
  return found;
}

async function begin() {
  right = (await get("/api/session")).right;
  if (right === null) { logIn(); return; }
  at("send").disabled = !may("ask");
  const found = await loadScenes();
  const id = new URLSearchParams(location.hash.slice(1)).get("answer");
  if (id) { await open(id); return; }
  const { answers } = await get("/api/answers?limit=8");
  fill(at("answer"), found.total === 0 && el("p", { class: "notes" }, "No scene was ingested yet. Run: ", el("code", {}, "imagerag ingest SOURCE"), ", or see Status."), recent(answers, open));
}
begin().catch(problem);
