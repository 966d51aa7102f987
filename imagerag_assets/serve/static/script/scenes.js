// The list of scenes: by time, shown on the map, asked about, or compared by date.

import { ApiError } from "./api.js";
import { button, day, el, fill } from "./dom.js";

const LISTED = 300;

export class SceneList {
  constructor(place, strip, { map, askAbout, problem }) {
    Object.assign(this, { place, strip, map, askAbout, problem });
    this.from = "";
    this.until = "";
    this.words = "";
    this.pair = [];
    map.onScene = (key) => this.open(key);
  }

  set(features, total) {
    this.features = [...features].sort((one, other) => (other.properties.acquired || "").localeCompare(one.properties.acquired || ""));
    this.total = total;
    this.list = el("ul", { class: "plain scenes" });
    this.note = el("p", { class: "small muted", role: "status" });
    this.picked = el("div");
    const field = (name, label) => el("label", { class: "field" }, label,
      el("input", { type: "date", on: { change: (event) => { this[name] = event.target.value; this.refresh(); } } }));
    fill(this.place,
      el("h2", {}, "Scenes"),
      el("div", { class: "row" },
        el("label", { class: "field grow" }, "Name", el("input", { type: "search", on: { input: (event) => { this.words = event.target.value.toLowerCase(); this.refresh(); } } })),
        field("from", "From"), field("until", "Until")),
      this.note, this.picked, this.list);
    this.refresh();
  }

  shown() {
    return this.features.filter(({ properties }) => {
      const when = day(properties.acquired);
      const named = `${properties.scene} ${properties.item || ""} ${properties.collection || ""}`.toLowerCase();
      return named.includes(this.words) && !((this.from || this.until) && !when)
        && !(this.from && when < this.from) && !(this.until && when > this.until);
    });
  }

  /** What a question is limited to by the dates that are chosen. */
  get datetime() {
    return this.from || this.until ? `${this.from || ".."}/${this.until || ".."}` : null;
  }

  refresh() {
    const found = this.shown();
    this.map.filter(found.length === this.features.length ? null : new Set(found.map((each) => each.properties.scene)));
    const number = found.length;
    const more = this.total > this.features.length ? ` of the first ${this.features.length} of ${this.total}` : "";
    fill(this.note, `${number} ${number === 1 ? "scene" : "scenes"}${more}${number > LISTED ? `; the ${LISTED} latest are listed` : ""}`);
    fill(this.list, found.slice(0, LISTED).map((feature) => this.entry(feature)));
    if (this.onChange) this.onChange();
    this.drawTime(found);
  }

  entry({ properties, geometry }) {
    const name = properties.item || properties.scene;
    const about = [day(properties.acquired), properties.gsd_m && `${properties.gsd_m} m/px`, `${properties.width} × ${properties.height} px`, !geometry && "no place", properties.removed && "removed"];
    return el("li", { class: "scene", id: `scene-${properties.scene}` },
      el("div", {}, el("h3", {}, name), el("p", { class: "small muted" }, about.filter(Boolean).join(" · "))),
      el("div", { class: "row" },
        button("Show", () => this.map.show(properties.scene), { "aria-label": `Show ${name}` }),
        !properties.removed && button("Ask about it", () => this.askAbout(properties.scene), { "aria-label": `Ask about it: ${name}` }),
        geometry && el("button", { type: "button", class: "button", "aria-pressed": String(this.pair.includes(properties.scene)), "aria-label": `Compare ${name} with another date`, on: { click: () => this.pick(properties.scene) } }, "Compare")));
  }

  pick(key) {
    this.pair = this.pair.includes(key) ? this.pair.filter((each) => each !== key) : [...this.pair, key].slice(-2);
    const name = (each) => { const { properties } = this.features.find((one) => one.properties.scene === each); return `${properties.item || each} (${day(properties.acquired) || "no date"})`; };
    const ordered = [...this.pair].sort((one, other) => this.when(one).localeCompare(this.when(other)));
    this.refresh();
    fill(this.picked, this.pair.length === 1 && el("p", { class: "small", role: "status" }, `Compare ${name(this.pair[0])} with: choose another scene`),
      this.pair.length === 2 && el("p", { class: "small row", role: "status" }, `${name(ordered[0])} and ${name(ordered[1])}`,
        button("Compare with a slider", () => this.compare(ordered), { class: "button first" })));
    const again = document.getElementById(`scene-${key}`);
    if (again) again.querySelector("[aria-pressed]").focus();
  }

  compare([before, after]) {
    if (this.map.overlap(before, after)) this.map.compare(before, after);
    else this.problem(new ApiError(422, "These two scenes show different places", "Choose two of the same place"));
  }

  when(key) {
    return this.features.find((one) => one.properties.scene === key).properties.acquired || "";
  }

  open(key) {
    this.map.show(key);
    const entry = document.getElementById(`scene-${key}`);
    if (entry && !this.place.hidden) entry.scrollIntoView({ block: "nearest" });
  }

  /** A strip of time under the map: a mark for each scene. The dates above and the list are its keyboard. */
  drawTime(found) {
    const dated = found.filter((each) => each.properties.acquired);
    this.strip.hidden = dated.length < 2;
    if (this.strip.hidden) return;
    const times = dated.map((each) => Date.parse(each.properties.acquired));
    const first = Math.min(...times);
    const last = Math.max(...times);
    const span = last - first || 1;
    const marks = dated.map((each, number) => {
      const mark = el("span", { class: "moment", title: `${each.properties.item || each.properties.scene} ${day(each.properties.acquired)}`, on: { click: () => this.open(each.properties.scene) } });
      mark.style.left = `${(100 * (times[number] - first)) / span}%`;
      return mark;
    });
    fill(this.strip, el("span", { class: "small" }, day(dated[times.indexOf(first)].properties.acquired)),
      el("div", { class: "rail", "aria-hidden": "true" }, marks),
      el("span", { class: "small" }, day(dated[times.indexOf(last)].properties.acquired)));
  }
}
