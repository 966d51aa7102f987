// Elements from text. Whatever comes from a record becomes a text node, never HTML.

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g;

/** Text with signs that hide or turn the text around them shown as their codes. */
export function clean(text) {
  return String(text).replace(HIDDEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** An element: `on` has listeners, `class` and all else are attributes; false and null leave one out. */
export function el(tag, about = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : clean(value));
    }
  }
  made.append(...nodes(children));
  return made;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
    .map((child) => (child instanceof Node ? child : document.createTextNode(clean(child))));
}

/** Put children in place of what an element holds. */
export function fill(parent, ...children) {
  parent.replaceChildren(...nodes(children));
  return parent;
}

export function svg(tag, about = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(about)) made.setAttribute(name, value);
  made.append(...nodes(children));
  return made;
}

const PATHS = {
  yes: "M3 8.5 6.5 12 13 4.5",
  no: "M4 4l8 8M12 4l-8 8",
  up: "M5 7.5V14H2.5V7.5zM5 8l3-6c1.4 0 2 .9 1.7 2.2L9.300 6.500H13a1 1 0 0 1 1 1.200l-1 5a1.600 1.600 0 0 1-1.600 1.300H5",
  down: "M11 8.500V2h2.500v6.500zM11 8l-3 6c-1.400 0-2-.9-1.700-2.200L6.700 9.500H3a1 1 0 0 1-1-1.200l1-5A1.600 1.600 0 0 1 4.600 2H11",
  like: "M2.500 2.500h4v4h-4zM9.500 2.500h4v4h-4zM2.500 9.500h4v4h-4zM11.500 9v5M9 11.500h5",
  place: "M8 14s-4.500-4.200-4.500-7.500a4.500 4.500 0 0 1 9 0C12.500 9.800 8 14 8 14zM8 8a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3z",
};

export function icon(name) {
  if (name === "open") {
    return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
      svg("circle", { cx: 8, cy: 8, r: 5, fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-dasharray": "2.6 2.2" }));
  }
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}

export function button(text, act, about = {}) {
  return el("button", { type: "button", class: "button", ...about, on: { click: act } }, text);
}

export function day(moment) {
  return moment ? moment.slice(0, 10) : "";
}

/** A confidence in percent; it is never said to be certain, or impossible. */
export function percent(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "";
  return value > 0.99 ? "over 99 %" : value < 0.01 ? "under 1 %" : `${Math.round(100 * value)} %`;
}

export function confidence(value, label = "") {
  if (value === null || value === undefined) return null;
  return el("span", { class: "confidence" },
    svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "rail", width: 100, height: 6 }),
      svg("rect", { class: "reach", width: (100 * value).toFixed(1), height: 6 })),
    percent(value), label && el("span", { class: "muted" }, label));
}

export function verdict(name) {
  if (name === "confirmed") return el("span", { class: "mark good" }, icon("yes"), "confirmed");
  if (name === "rejected") return el("span", { class: "mark bad" }, icon("no"), "rejected");
  if (name === "unchecked") return el("span", { class: "mark plain" }, icon("open"), "not checked");
  return null;
}

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, shown.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "not known";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = bytes || 0;
  let unit = 0;
  while (value >= 1000 && unit < 4) { value /= 1000; unit += 1; }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
