/* Imagery to move and zoom, and lists to filter.  Nothing here writes HTML: text of a record stays text.
   A page without scripts says the same; parts that need one are shown by the class `live` of the root. */
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("live");

  const SVG = "http://www.w3.org/2000/svg";
  const MOST_PX = 8; // CSS pixels for a native pixel, at the nearest
  const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

  class Viewer {
    constructor(figure) {
      this.figure = figure;
      this.svg = figure.querySelector("svg.scene");
      this.place = JSON.parse(figure.dataset.place);
      [this.width, this.height] = [Number(this.svg.dataset.width), Number(this.svg.dataset.height)];
      this.view = { x: 0, y: 0, w: this.width, h: this.height };
      this.pointers = new Map();
      this.moved = 0;
      this.here = figure.querySelector(".here");
      this.scale = figure.querySelector(".scale");
      figure.classList.add("live");
      this.listen();
      new ResizeObserver(() => this.show()).observe(this.svg);
      if (figure.hasAttribute("data-details")) this.addDetails();
    }

    /* The pictures of the cues are finer than that of the scene: lay them over it. */
    addDetails() {
      const page = this.figure.closest("[data-answer]") || document;
      for (const link of this.svg.querySelectorAll("a[data-cue]")) {
        const picture = page.querySelector(`[data-cue="${link.dataset.cue}"] .picture img`);
        if (!picture) continue;
        const [x0, y0, x1, y1] = link.dataset.window.split(" ").map(Number);
        const image = document.createElementNS(SVG, "image");
        for (const [name, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 })) image.setAttribute(name, value);
        image.setAttribute("preserveAspectRatio", "none");
        image.setAttribute("href", picture.src);
        this.svg.querySelector(".details").append(image);
      }
    }

    listen() {
      const svg = this.svg;
      svg.addEventListener("pointerdown", (event) => this.press(event));
      svg.addEventListener("pointermove", (event) => this.move(event));
      for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.release(event));
      svg.addEventListener("pointerleave", () => this.tell(this.middle()));
      svg.addEventListener("click", (event) => { if (this.moved > 4) event.preventDefault(); }, true);
      svg.addEventListener("dragstart", (event) => event.preventDefault());
      svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      svg.addEventListener("dblclick", (event) => { event.preventDefault(); this.zoom(2, this.at(event)); });
      svg.addEventListener("keydown", (event) => this.key(event));
      const tools = { in: () => this.zoom(1.6), out: () => this.zoom(1 / 1.6), fit: () => this.fit() };
      for (const button of this.figure.querySelectorAll("[data-tool]")) button.addEventListener("click", tools[button.dataset.tool]);
    }

    /* CSS pixels of a native pixel. */
    get factor() {
      const box = this.svg.getBoundingClientRect();
      return Math.min(box.width / this.view.w, box.height / this.view.h) || 1;
    }

    at(event) {
      const matrix = this.svg.getScreenCTM();
      return matrix ? new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse()) : this.middle();
    }

    middle() { return { x: this.view.x + this.view.w / 2, y: this.view.y + this.view.h / 2 }; }

    press(event) {
      if (event.button) return;
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (this.pointers.size === 1) this.moved = 0;
    }

    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) return this.tell(this.at(event));
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      const now = { x: event.clientX, y: event.clientY };
      this.moved += Math.hypot(now.x - before.x, now.y - before.y);
      if (this.moved > 4 && !this.svg.hasPointerCapture(event.pointerId)) this.svg.setPointerCapture(event.pointerId);
      if (others.length) {
        const [other] = others, gap = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
        this.zoom(gap(now) / gap(before), this.at({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 }));
      } else {
        this.figure.classList.add("moving");
        this.pan((before.x - now.x) / this.factor, (before.y - now.y) / this.factor);
      }
      this.pointers.set(event.pointerId, now);
    }

    release(event) {
      this.pointers.delete(event.pointerId);
      if (!this.pointers.size) this.figure.classList.remove("moving");
    }

    /* The wheel scrolls the page until the picture was clicked, is zoomed in, or Ctrl is held. */
    wheel(event) {
      const ours = event.ctrlKey || event.metaKey || this.figure.classList.contains("zoomed") || this.svg.contains(document.activeElement);
      if (!ours) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), this.at(event));
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = 0.2, { w, h } = this.view;
      const keys = {
        ArrowLeft: () => this.pan(-step * w, 0), ArrowRight: () => this.pan(step * w, 0),
        ArrowUp: () => this.pan(0, -step * h), ArrowDown: () => this.pan(0, step * h),
        "+": () => this.zoom(1.6), "=": () => this.zoom(1.6), "-": () => this.zoom(1 / 1.6), 0: () => this.fit(),
      };
      const zoomed = this.figure.classList.contains("zoomed");
      if (!keys[event.key] || (event.key.startsWith("Arrow") && !zoomed)) return;
      event.preventDefault();
      keys[event.key]();
    }

    pan(dx, dy) { this.look(this.view.x + dx, this.view.y + dy, this.view.w); }

    zoom(times, around = this.middle()) {
      const least = (this.view.w * this.factor) / MOST_PX;
      const w = clamp(this.view.w / times, Math.min(least, this.width), this.width), share = w / this.view.w;
      this.look(around.x - (around.x - this.view.x) * share, around.y - (around.y - this.view.y) * share, w);
    }

    fit() { this.look(0, 0, this.width); }

    /* Look at a window of native pixels, with room around it. */
    lookAt([x0, y0, x1, y1]) {
      const shape = this.width / this.height, w = clamp(Math.max(x1 - x0, (y1 - y0) * shape) * 2.5, 16, this.width);
      this.look((x0 + x1) / 2 - w / 2, (y0 + y1) / 2 - w / shape / 2, w);
    }

    look(x, y, w) {
      const h = (w * this.height) / this.width;
      this.view = { x: clamp(x, 0, this.width - w), y: clamp(y, 0, this.height - h), w, h };
      this.show();
    }

    show() {
      const { x, y, w, h } = this.view;
      this.svg.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
      this.figure.classList.toggle("zoomed", w < this.width * 0.999);
      const em = 14 / this.factor;
      for (const label of this.svg.querySelectorAll(".label")) {
        const [x0, y0] = [Number(label.dataset.x), Number(label.dataset.y)];
        label.setAttribute("font-size", em);
        label.setAttribute("stroke-width", em / 4);
        label.setAttribute("x", x0 + em * 0.15);
        label.setAttribute("y", y0 > em * 1.2 ? y0 - em * 0.35 : y0 + em * 1.15);
      }
      this.showScale();
      this.tell(this.middle());
    }

    showScale() {
      const metre = this.place.pixel_m && this.place.pixel_m[0];
      if (!metre || !this.scale) return;
      const most = (110 / this.factor) * metre, power = 10 ** Math.floor(Math.log10(most));
      const length = [5, 2, 1].find((digit) => digit * power <= most) * power;
      this.scale.querySelector("span").textContent = length >= 1000 ? `${length / 1000} km` : `${Number(length.toPrecision(1))} m`;
      this.scale.querySelector("i").style.width = `${(length / metre) * this.factor}px`;
      this.scale.classList.add("on");
    }

    /* Where a point is, in degrees, metres and pixels. */
    tell(point) {
      if (!this.here) return;
      const col = clamp(point.x, 0, this.width), row = clamp(point.y, 0, this.height), parts = [];
      if (this.place.lon) {
        const lon = ((this.between(this.place.lon, col, row) + 540) % 360) - 180, lat = this.between(this.place.lat, col, row);
        parts.push(`${Math.abs(lat).toFixed(5)} ${lat >= 0 ? "N" : "S"}, ${Math.abs(lon).toFixed(5)} ${lon >= 0 ? "E" : "W"}`);
      }
      if (this.place.transform) {
        const [a, b, c, d, e, f] = this.place.transform;
        parts.push(`${(a * col + b * row + c).toFixed(0)} E, ${(d * col + e * row + f).toFixed(0)} N`);
      }
      parts.push(`pixel ${Math.floor(col)}, ${Math.floor(row)}`);
      this.here.textContent = parts.join("  ·  ");
    }

    between(rows, col, row) {
      const steps = rows.length - 1, u = (col / this.width) * steps, v = (row / this.height) * steps;
      const i = Math.min(Math.floor(u), steps - 1), j = Math.min(Math.floor(v), steps - 1), p = u - i, q = v - j;
      return (1 - q) * ((1 - p) * rows[j][i] + p * rows[j][i + 1]) + q * ((1 - p) * rows[j + 1][i] + p * rows[j + 1][i + 1]);
    }
  }

  const viewers = [...document.querySelectorAll(".viewer")].map((figure) => new Viewer(figure));

  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      const page = button.closest("[data-answer]") || document;
      const link = page.querySelector(`.viewer a[data-cue="${button.dataset.show}"]`);
      const viewer = viewers.find((each) => each.svg.contains(link));
      if (!viewer) return;
      viewer.lookAt(link.dataset.window.split(" ").map(Number));
      for (const other of viewer.svg.querySelectorAll("a")) other.classList.toggle("chosen", other === link);
      link.focus({ preventScroll: true });
      viewer.figure.scrollIntoView({ block: "nearest" });
    });
  }

  /* Buttons with data-filter show the elements of a list whose data-kind holds that word; "all" shows all. */
  for (const bar of document.querySelectorAll("[data-filters]")) {
    const list = document.getElementById(bar.dataset.filters), buttons = [...bar.querySelectorAll("[data-filter]")];
    const choose = (kind) => {
      let shown = 0;
      for (const each of list.querySelectorAll("[data-kind]")) {
        const fits = kind === "all" || each.dataset.kind.split(" ").includes(kind);
        each.hidden = !fits;
        shown += fits;
      }
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.filter === kind));
      bar.querySelector("[role=status]").textContent = `${shown} shown`;
    };
    for (const button of buttons) button.addEventListener("click", () => choose(button.dataset.filter));
  }
})();
