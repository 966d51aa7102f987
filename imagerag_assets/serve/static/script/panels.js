// Standing questions with their history, and what is at work: ingests, encoders and their switches.

import { get, post, remove } from "./api.js";
import { button, confidence, day, duration, el, facts, fill, size } from "./dom.js";

const REFRESH_MS = 10_000;
const LOOK_MS = 1_000;

export async function showWatches(place, { open, problem }) {
  const { watches } = await get("/api/watches");
  fill(place, el("h2", {}, "Standing questions"),
    watches.length === 0 && el("p", { class: "muted" }, "There are none. Add one with ", el("code", {}, "imagerag watch add \"QUESTION\""), ": it is asked again with each new acquisition."),
    el("ul", { class: "plain" }, watches.map((watch) => {
      const history = el("div", { class: "history" });
      const more = el("button", { type: "button", class: "button", "aria-expanded": "false", on: { click: async () => {
        const shut = more.getAttribute("aria-expanded") === "true";
        more.setAttribute("aria-expanded", String(!shut));
        if (shut) { fill(history); return; }
        try {
          const { answers } = await get(`/api/watches/${encodeURIComponent(watch.watch_id)}`);
          fill(history, el("ol", { class: "series" }, [...answers].reverse().map((each) => el("li", {},
            el("span", { class: "muted small" }, day(each.asked_at)), " ",
            el("button", { type: "button", class: "link", on: { click: () => open(each.answer_id) } }, said(each)),
            each.changed.length > 0 && el("p", { class: "small" }, each.changed.map((one) => `${one.what}: ${one.before ?? "none"} → ${one.after ?? "none"}`).join("; "))))));
        } catch (error) { problem(error); }
      } } }, "History");
      return el("li", { class: "panel" }, el("h3", {}, watch.question || watch.watch_id),
        watch.last && el("p", {}, said(watch.last)),
        el("div", { class: "row small muted" }, watch.last && confidence(watch.last.confidence), watch.last && `asked ${day(watch.last.asked_at)}`, watch.changed_at && `changed ${day(watch.changed_at)}`),
        watch.problem && el("p", { class: "failed small" }, watch.problem), more, history);
    })));
}

const said = (answer) => (answer.choice ? `${answer.choice}: ${answer.answer}` : answer.answer || (answer.found ? "Found" : "Not found"));

export async function showStatus(place, { may, problem, changed }) {
  const now = el("div");
  const work = new WorkView(may, problem, () => Promise.all([refresh(now), changed()]));
  await work.look();
  const [encoders] = await Promise.all([get("/api/encoders"), refresh(now)]);
  const last = encoders.switches[0];
  fill(place, el("h2", {}, "Status"), work.place, now,
    el("div", { class: "panel" }, el("h3", {}, "Encoder switch"),
      last ? [el("p", { class: "small" }, `Last: ${last.kind} from ${last.before.encoder || "none"} to ${last.after.encoder || "none"}, ${day(last.at)}${last.forced ? ", forced" : ""}`), checks(last.gate)]
        : el("p", { class: "muted small" }, "The encoder was never switched."),
      may("ask") && estimate("Estimate a switch to the chosen encoder", () => get("/api/switch"), (plan) => [switched(plan), may("write") && work.start("Embed, check and switch", plan.confirm)], problem)),
    may("write") && ingest(problem, work));
  const again = setInterval(() => {
    if (!now.isConnected) clearInterval(again);
    else if (!place.hidden && !document.hidden) refresh(now).catch(() => {}); // the next one may be answered
  }, REFRESH_MS);
}

/** What changes while an ingest or a backfill is at work. */
async function refresh(place) {
  const status = await get("/api/status");
  const done = status.scenes - status.stale;
  const since = (each) => (each.since ? `, since ${each.since.slice(0, 16).replace("T", " ")} UTC` : "");
  const work = [...status.owners.map((each) => `${each.work}${since(each)}, ${each.state}`), ...status.locks.map((each) => `${each.name}${since(each)}, ${each.state}`)];
  fill(place,
    el("div", { class: "panel" },
      status.scenes > 0 && el("div", { class: "progress" }, el("progress", { value: String(done), max: String(status.scenes), "aria-label": "Scenes embedded" }), el("p", { class: "small muted" }, `${done} of ${status.scenes} scenes embedded by the chosen encoder`)),
      facts([["scenes", status.scenes], ["chosen encoder", status.encoder.name], ["in use", status.serving ? status.serving.name : "none yet"], ["failures", status.failures.length || "none"]]),
      status.problems.length > 0 && el("ul", { class: "failed small" }, status.problems.map((line) => el("li", {}, line)))),
    el("div", { class: "panel" }, el("h3", {}, "At work"),
      work.length ? el("ul", { class: "small" }, work.map((line) => el("li", {}, line))) : el("p", { class: "muted small" }, "Nothing.")),
    status.failures.length > 0 && el("div", { class: "panel" }, el("h3", {}, "Scenes that failed"),
      el("ul", { class: "small" }, status.failures.slice(0, 50).map((each) => el("li", {}, el("b", {}, each.scene), ": ", each.error)))));
}

function checks(gate) {
  if (!gate || !gate.checks) return null;
  return el("ul", { class: "small" }, gate.checks.map((check) => el("li", {}, `${check.passed === null ? "skipped" : check.passed ? "passed" : "failed"}: ${check.name}, ${check.detail}`)));
}

function estimate(text, ask, shown, problem) {
  const place = el("div", { role: "status" });
  return [button(text, async () => {
    fill(place, el("p", { class: "muted small" }, "Working it out…"));
    try { fill(place, shown(await ask())); } catch (error) { fill(place); problem(error); }
  }), place];
}

const switched = (plan) => facts([["encoder", plan.encoder], ["scenes", plan.scenes], ["patches to embed", plan.patches], ["files", size(plan.bytes_read)], ["would take", duration(plan.seconds)]]);

/** What this page or another started: how far it is, and what came of it. */
class WorkView {
  constructor(may, problem, ended) {
    Object.assign(this, { may, problem, ended, place: el("div", { role: "status", "aria-live": "polite" }) });
  }

  /** A button that starts what was estimated; null: there is nothing to do. */
  start(text, confirm) {
    if (!confirm) return null;
    return button(text, async (event) => {
      event.currentTarget.disabled = true;
      this.problem(null);
      try { this.show(await post("/api/work", { confirm })); } catch (error) { this.problem(error); return; }
      this.place.scrollIntoView({ block: "nearest" });
      this.follow();
    }, { class: "button first" });
  }

  async look() {
    const state = await get("/api/work");
    this.show(state);
    if (state.state === "running") this.follow();
  }

  follow() {
    clearTimeout(this.next);
    this.next = setTimeout(async () => {
      try {
        const state = await get("/api/work");
        this.show(state);
        if (state.state !== "running") { await this.ended(); return; }
      } catch (error) { this.problem(error); }
      if (this.place.isConnected) this.follow();
    }, LOOK_MS);
  }

  show(work) {
    if (work.state === "none") { fill(this.place); return; }
    const running = work.state === "running";
    const named = { running: work.what, done: "done", stopped: "stopped; it goes on where it stopped when it is started again", failed: "failed" }[work.state];
    const ended = work.results.length;
    fill(this.place, el("div", { class: "panel" },
      el("h3", {}, work.kind === "switch" ? "Encoder switch" : `Ingest of ${work.source}`),
      el("p", { class: work.state === "failed" ? "small failed" : "small" }, running && el("span", { class: "dot", "aria-hidden": "true" }), named[0].toUpperCase() + named.slice(1),
        running && work.total > 0 && `, part ${work.done} of ${work.total}`),
      running && el("div", { class: "progress" }, el("progress", { ...(work.total > 0 && { value: String(work.done), max: String(work.total) }), "aria-label": "How far it is" })),
      work.kind === "ingest" && el("p", { class: "small muted" }, `${ended} of ${work.scenes} scenes, ${work.patches.toLocaleString("en")} patches`),
      ended > 0 && el("ul", { class: "small" }, work.results.slice(-20).map((each) => el("li", {}, `${each.scene}: ${each.status}, ${each.patches.toLocaleString("en")} patches${each.error ? `, ${each.error}` : ""}${each.note ? `, ${each.note}` : ""}`))),
      work.error && el("p", { class: "small failed" }, `${work.error.message}. ${work.error.fix}`),
      work.result && [el("p", { class: "small" }, work.result.switched ? "Questions use it now." : "Nothing was switched."), checks(work.result.gate)],
      running && this.may("write") && button("Stop", async () => { try { this.show(await remove("/api/work")); } catch (error) { this.problem(error); } })));
  }
}

function ingest(problem, work) {
  const field = el("input", { id: "source", type: "text", autocomplete: "off", placeholder: "s3://bucket/prefix, or the address of a catalog" });
  const shown = ({ totals, scenes, confirm }) => [
    facts([["new", totals.new], ["changed", totals.changed], ["current", totals.current], ["failed", totals.failed], ["patches", totals.patches], ["read", size(totals.bytes_read)], ["would take", duration(totals.seconds)]]),
    el("ul", { class: "small" }, scenes.slice(0, 20).map((each) => el("li", {}, `${each.scene}: ${each.state}${each.error ? `, ${each.error}` : ""}`))),
    work.start("Ingest", confirm) || el("p", { class: "small muted" }, "There is nothing to do.")];
  return el("div", { class: "panel" }, el("h3", {}, "Ingest"),
    el("label", { for: "source" }, "Source, its first 20 scenes"), field,
    estimate("Estimate", () => post("/api/explain", { source: field.value, limit: 20 }), shown, problem));
}
