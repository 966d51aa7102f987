// What is shown of a question: what was understood, the evidence, then the answer, and what people think of it.

import { cropOf, post } from "./api.js";
import { button, confidence, day, el, facts, fill, icon, svg, verdict } from "./dom.js";

const SHOWN = 60;

/** A name for a concept from a phrase. */
function nameOf(phrase) {
  const name = phrase.toLowerCase().replace(/^my:/, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
  return name || "example";
}

export class AnswerView {
  /** `map` draws cues, `askAgain(question)` asks, `may(right)` says whether the token allows it. */
  constructor(stages, place, { map, askAgain, may, problem }) {
    Object.assign(this, { stages, place, map, askAgain, may, problem });
    map.onCue = (rank) => this.choose(rank);
  }

  start(text) {
    this.map.clearCues();
    this.cues = [];
    this.parts = { said: el("div"), plan: el("div"), cues: el("div"), more: el("div") };
    fill(this.place, this.parts.said, this.parts.plan, this.parts.cues, this.parts.more);
    fill(this.parts.said, el("p", { class: "question muted" }, text));
    this.stage("Reading the question");
  }

  stage(text) {
    fill(this.stages, text && el("p", { class: "working" }, el("span", { class: "dot", "aria-hidden": "true" }), text, "…"));
  }

  understood(document) {
    this.showPlan(document.words.map((asked) => ({ asked, result: "", cues: [] })), [...document.notes, document.unplanned]);
    const named = document.phrases.slice(0, 4).join(", ");
    this.stage(named ? `Looking for ${named}` : "Looking at the scenes");
  }

  found(document) {
    this.answerId = null;
    this.showCues(document.cues.map((cue) => ({ ...cue, scene_key: cue.scene, verdict: "" })));
    const number = document.cues.length;
    this.stage(number ? `Found ${number} ${number === 1 ? "place" : "places"}; working out the answer` : "Nothing passed the threshold; working out what to say");
  }

  /** The answer as the server puts it in words (`/api/answers/ID/view`). */
  answered(view) {
    this.stage(null);
    this.answerId = view.answer_id;
    const { said, more } = this.parts;
    fill(said,
      el("div", { class: "answer" },
        el("p", { class: "question" }, el("span", { class: "unseen" }, "Question: "), view.question),
        el("h2", { class: view.said.length > 90 ? "said long" : "said", tabindex: "-1" }, el("span", { class: "unseen" }, "Answer: "), view.said),
        Object.keys(view.choices).length > 0 && el("ul", { class: "choices", "aria-label": "Choices" },
          Object.entries(view.choices).map(([letter, text]) => el("li", { class: letter === view.choice && "chosen" }, `${letter}: ${text}`))),
        el("div", { class: "row how" }, confidence(view.confidence, "confidence"), view.by && el("span", {}, view.by)),
        view.cues.length > 0 && this.opinion("the whole answer", { answer: view.answer_id }, nameOf(view.cues[0].phrase), "Right?")),
      (view.failed || view.outdated.length > 0 || view.notes.length > 0) && el("div", { class: view.failed ? "notes failed" : "notes" },
        el("h3", {}, view.failed ? "There is no answer" : "To be read with it"),
        el("ul", {}, [view.failed, ...view.outdated, ...view.notes].filter(Boolean).map((line) => el("li", {}, line)))));
    this.showPlan(view.plan, view.remarks);
    this.showCues(view.cues, view.path);
    const path = `/api/answers/${encodeURIComponent(view.answer_id)}`;
    fill(more,
      el("section", { class: "block", "aria-labelledby": "lineage-title" },
        el("h3", { id: "lineage-title" }, "Where it comes from"), drawn(view.graph)),
      el("section", { class: "block", "aria-labelledby": "take-title" },
        el("h3", { id: "take-title" }, "Take it along"),
        el("div", { class: "row" },
          el("a", { class: "button", href: `${path}/page.html`, target: "_blank", rel: "noopener" }, "Its own page"),
          el("a", { class: "button", href: `${path}/cues.geojson`, download: `${view.answer_id}.geojson` }, "GeoJSON"),
          el("a", { class: "button", href: path, download: `${view.answer_id}.json` }, "Record")),
        facts([["asked", view.asked_at], ["id", view.answer_id], ["replay", `imagerag replay ${view.answer_id}`]])));
  }

  failed() {
    this.stage(null);
  }

  showPlan(steps, remarks) {
    const told = (remarks || []).filter(Boolean);
    fill(this.parts.plan, (steps.length > 0 || told.length > 0) && el("section", { class: "block", "aria-labelledby": "plan-title" },
      el("h3", { id: "plan-title" }, "What was understood"),
      el("ol", { class: "plan" }, steps.map((step) => el("li", {}, step.asked,
        step.result && el("span", { class: "result" }, step.result, step.cues.length > 0 && ` (${step.cues.length === 1 ? "cue" : "cues"} ${step.cues.slice(0, 12).join(", ")}${step.cues.length > 12 ? ", …" : ""})`)))),
      told.length > 0 && el("ul", { class: "small muted" }, told.map((line) => el("li", {}, line)))));
  }

  showCues(cues, path = "") {
    const known = JSON.stringify(cues.map((cue) => [cue.rank, cue.window]));
    this.map.drawCues(cues, { move: known !== this.known });
    this.known = known;
    this.cues = cues;
    fill(this.parts.cues, el("section", { class: "block", "aria-labelledby": "cues-title" },
      el("h3", { id: "cues-title" }, cues.length ? `${cues.length} ${cues.length === 1 ? "cue" : "cues"} as evidence` : "No cues", path && el("span", { class: "muted small" }, ` found ${path}`)),
      cues.length > 0 && el("ul", { class: "cues" }, cues.slice(0, SHOWN).map((cue) => this.card(cue))),
      cues.length > SHOWN && el("p", { class: "small muted" }, `${cues.length - SHOWN} more are on the map and in the GeoJSON.`)));
  }

  card(cue) {
    return el("li", { class: `cue ${cue.verdict === "rejected" ? "rejected" : ""}`, id: `cue-${cue.rank}` },
      el("button", { type: "button", class: "picture", "aria-label": `Show cue ${cue.rank}, ${cue.phrase}, on the map`, on: { click: () => { this.choose(cue.rank, false); this.map.focusCue(cue); } } },
        el("img", { src: cropOf(cue.scene_key, cue.window), alt: "", loading: "lazy", decoding: "async" }),
        el("span", { class: "number", "aria-hidden": "true" }, String(cue.rank))),
      el("div", { class: "text" },
        el("h4", {}, el("span", { class: "unseen" }, `Cue ${cue.rank}: `), cue.phrase),
        el("div", { class: "row" }, confidence(cue.confidence), verdict(cue.verdict)),
        facts([["where", cue.degrees || cue.part], ["size", cue.size], ["scene", cue.degrees === undefined ? cue.scene_key : cue.scene], ["date", cue.day]]),
        el("div", { class: "row tools" },
          this.answerId && this.opinion(`cue ${cue.rank}`, { answer: this.answerId, cue: cue.rank }, nameOf(cue.phrase)),
          this.may("ask") && button([icon("like"), "More like this"], () => this.askAgain({ question: "", like: cue.patch_id }, `More like cue ${cue.rank}, ${cue.phrase}`), { "aria-label": `More like this: cue ${cue.rank}` }))));
  }

  /** Thumbs up and down; what they point at becomes an example of a concept. */
  opinion(what, target, name, label = "") {
    if (!this.may("write")) return null;
    const said = el("span", { class: "small muted", role: "status" });
    const thumb = (good) => el("button", {
      type: "button", class: "button thumb", "aria-pressed": "false", "aria-label": good ? `Good: ${what} is an example of ${name}` : `Bad: ${what} is not an example of ${name}`,
      on: { click: async (event) => {
        const pressed = event.currentTarget;
        try {
          const { concept } = await post("/api/examples", { concept: name, good, ...target });
          pressed.setAttribute("aria-pressed", "true");
          fill(said, `Kept for ${concept.phrase} (${concept.positive} good, ${concept.negative} bad); ask for it by that name`);
        } catch (error) {
          this.problem(error);
        }
      } },
    }, icon(good ? "up" : "down"));
    return el("span", { class: "opinion row" }, label && el("span", { class: "small muted" }, label), thumb(true), thumb(false), said);
  }

  choose(rank, scroll = true) {
    for (const card of this.place.querySelectorAll(".cue")) card.classList.toggle("chosen", card.id === `cue-${rank}`);
    const card = this.place.querySelector(`#cue-${Number(rank)}`);
    if (card && scroll) card.scrollIntoView({ block: "nearest" });
  }
}

/** The lineage as the server has laid it out, and as a list for who does not see it. */
function drawn(graph) {
  const { nodes, edges, width, height } = graph;
  return el("div", { class: "lineage", tabindex: "0", role: "group", "aria-label": "Lineage" },
    svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
      edges.map((path) => svg("path", { class: "edge", d: path })),
      nodes.map((node) => svg("g", { class: `node ${node.kind === "answer" ? "answer" : ""}` },
        svg("title", {}, node.label),
        svg("rect", { x: node.x, y: node.y, width: node.width, height: node.height, rx: 8 }),
        svg("text", { class: "kind", x: node.x + 10, y: node.y + 17 }, node.kind),
        svg("text", { x: node.x + 10, y: node.y + 34 }, node.short)))),
    el("ul", { class: "unseen" }, nodes.map((node) => el("li", {}, `${node.kind}: ${node.label}`))));
}

/** The latest answers, to look at again. */
export function recent(answers, open) {
  if (!answers.length) return el("p", { class: "muted small" }, "Nothing was asked yet.");
  return el("section", { class: "block", "aria-labelledby": "recent-title" },
    el("h2", { id: "recent-title" }, "Recent answers"),
    el("ul", { class: "plain" }, answers.map((each) => el("li", {},
      el("button", { type: "button", class: "entry", on: { click: () => open(each.answer_id) } },
        el("span", { class: "muted small" }, each.question || "by example", " ", day(each.asked_at)),
        el("span", {}, each.error ? "failed" : each.choice ? `${each.choice}: ${each.answer}` : each.answer || "cues only"))))));
}
