// The map: footprints, imagery, cues, an area to draw, two dates side by side; and scenes without a place, in pixels.

import { get } from "./api.js";
import { clean, day, el, fill } from "./dom.js";

const L = window.L;
const MOST_LAYERS = 20;
const LEAST_PX = 24;

export class SceneMap {
  constructor(place, pixels, over) {
    this.place = place;
    this.pixelPlace = pixels;
    this.over = over;
    this.scenes = new Map();
    this.layers = new Map();
    this.only = null;
    this.onScene = () => {};
    this.onCue = () => {};
    this.map = L.map(place, { zoomControl: true, attributionControl: false, worldCopyJump: true, minZoom: 1, maxZoom: 22, zoomSnap: 0.5 });
    this.map.setView([20, 10], 2);
    L.control.scale({ imperial: false, position: "bottomleft" }).addTo(this.map);
    for (const [name, z] of [["land", 150], ["imagery", 250], ["before", 260], ["after", 270], ["footprints", 350], ["cues", 450]]) {
      this.map.createPane(name).style.zIndex = z;
    }
    this.footprints = L.layerGroup().addTo(this.map);
    this.cues = L.layerGroup().addTo(this.map);
    this.areaLayer = L.layerGroup().addTo(this.map);
    this.map.on("moveend", () => this.refresh());
    this.drawLand();
  }

  async drawLand() {
    const land = await get("/files/vendor/natural-earth/land.json");
    L.geoJSON(land, { pane: "land", interactive: false, style: () => ({ className: "land", weight: 1 }) }).addTo(this.map);
  }

  setScenes(features) {
    this.scenes = new Map(features.map((each) => [each.properties.scene, each]));
    this.filter(null);
    this.fitAll();
  }

  /** Show only some scenes; null: all. */
  filter(keys) {
    this.only = keys;
    this.footprints.clearLayers();
    for (const [key, feature] of this.shown()) {
      if (!feature.geometry) continue;
      const drawn = L.geoJSON(feature, { pane: "footprints", style: () => ({ className: "footprint", weight: 1.5, fillOpacity: 0 }) });
      drawn.bindTooltip(() => el("span", {}, `${feature.properties.item || key} ${day(feature.properties.acquired)}`), { sticky: true });
      drawn.on("click", () => this.onScene(key));
      this.footprints.addLayer(drawn);
    }
    this.refresh();
  }

  shown() {
    return [...this.scenes].filter(([key]) => this.only === null || this.only.has(key));
  }

  fitAll() {
    const box = this.footprints.getLayers().reduce((all, each) => all.extend(each.getBounds()), L.latLngBounds([]));
    if (box.isValid()) this.map.fitBounds(box, { maxZoom: 17, padding: [24, 24] });
  }

  /** Load the imagery of what is large enough to be seen, the newest on top. */
  refresh() {
    const view = this.map.getBounds();
    const found = this.shown().filter(([, feature]) => feature.geometry && !feature.properties.removed && this.visible(feature, view));
    found.sort((one, other) => (other[1].properties.acquired || "").localeCompare(one[1].properties.acquired || ""));
    const wanted = new Set(this.comparing ? [] : found.slice(0, MOST_LAYERS).map(([key]) => key));
    for (const [key, layer] of this.layers) {
      if (!wanted.has(key)) { layer.remove(); this.layers.delete(key); }
    }
    [...wanted].reverse().forEach((key, number) => {
      if (!this.layers.has(key)) this.layers.set(key, this.tiles(key, "imagery").addTo(this.map));
      this.layers.get(key).setZIndex(number + 1);
    });
  }

  visible(feature, view) {
    const box = bounds(feature);
    if (!view.intersects(box)) return false;
    const one = this.map.latLngToContainerPoint(box.getNorthWest());
    const other = this.map.latLngToContainerPoint(box.getSouthEast());
    return Math.max(Math.abs(other.x - one.x), Math.abs(other.y - one.y)) >= LEAST_PX;
  }

  tiles(key, pane) {
    const feature = this.scenes.get(key);
    return L.tileLayer(`/api/scenes/${encodeURIComponent(key)}/tiles/{z}/{x}/{y}.png`, {
      pane, bounds: bounds(feature), maxNativeZoom: Math.min(22, feature.properties.map_zoom + 1), maxZoom: 22, minZoom: 0, className: "tile",
    });
  }

  /** Go to a scene: on the map, or in its own pixels where it has no place. */
  show(key) {
    const feature = this.scenes.get(key);
    if (!feature) return;
    this.reveal();
    if (feature.geometry) {
      this.usePixels(null);
      this.map.fitBounds(bounds(feature), { padding: [24, 24] });
    } else this.usePixels(feature);
  }

  usePixels(feature) {
    const key = feature ? feature.properties.scene : null;
    if (this.pixelKey === key) return;
    this.pixelKey = key;
    this.place.hidden = feature !== null;
    this.pixelPlace.hidden = feature === null;
    if (this.pixelMap) { this.pixelMap.remove(); this.pixelMap = null; }
    if (!feature) { this.map.invalidateSize(); return; }
    const { width, height, pixel_zoom: native } = feature.properties;
    this.pixelMap = L.map(this.pixelPlace, { crs: L.CRS.Simple, attributionControl: false, minZoom: -1, maxZoom: native + 3, zoomSnap: 0.5 });
    this.pixelCues = L.layerGroup().addTo(this.pixelMap);
    this.native = native;
    const box = this.pixelBox([0, 0, width, height]);
    L.tileLayer(`/api/scenes/${encodeURIComponent(key)}/pixels/{z}/{x}/{y}.png`, {
      bounds: box, minNativeZoom: 0, maxNativeZoom: native, minZoom: -1, maxZoom: native + 3, noWrap: true,
    }).addTo(this.pixelMap);
    this.pixelMap.fitBounds(box);
    this.say(`${feature.properties.item || key} has no place on the ground: shown in its own pixels`, "Back to the map", () => { this.usePixels(null); this.say(null); });
  }

  pixelBox([x0, y0, x1, y1]) {
    const scale = 2 ** this.native;
    return L.latLngBounds([[-y0 / scale, x0 / scale], [-y1 / scale, x1 / scale]]);
  }

  /** A line over the map, with a button. */
  say(text, action, act) {
    fill(this.over, text && el("p", { class: "said-over" }, text, " ", action && el("button", { type: "button", class: "button", on: { click: act } }, action)));
  }

  /** Draw the cues of a question: [{rank, geometry, scene_key, window, verdict, phrase}]. */
  drawCues(cues, { move = true } = {}) {
    this.clearCues();
    this.cueList = cues;
    const placed = cues.filter((cue) => cue.geometry);
    for (const cue of placed) {
      const rejected = cue.verdict === "rejected" ? " rejected" : "";
      const casing = L.geoJSON(cue.geometry, { pane: "cues", interactive: false, style: () => ({ className: "casing", weight: 5, fill: false }) });
      const box = L.geoJSON(cue.geometry, { pane: "cues", style: () => ({ className: `cue-box${rejected}`, weight: 2.5, fillOpacity: 0 }) });
      box.on("click", () => this.onCue(cue.rank));
      const corner = box.getBounds().getNorthWest();
      const mark = L.marker(corner, { pane: "cues", keyboard: false, icon: L.divIcon({ className: `cue-mark${rejected}`, html: el("span", {}, String(cue.rank)), iconSize: null, iconAnchor: [0, 22] }) });
      mark.on("click", () => this.onCue(cue.rank));
      this.cues.addLayer(casing).addLayer(box).addLayer(mark);
    }
    if (!move) return;
    if (placed.length) {
      this.usePixels(null);
      this.say(null);
      const box = placed.reduce((all, cue) => all.extend(L.geoJSON(cue.geometry).getBounds()), L.latLngBounds([]));
      this.map.fitBounds(box.pad(0.6), { maxZoom: 18 });
    } else if (cues.length) this.showPixelCue(cues[0]);
  }

  clearCues() {
    this.cueList = [];
    this.cues.clearLayers();
    if (this.pixelCues) this.pixelCues.clearLayers();
  }

  /** Scroll to the map where it is above what is read, as on a phone. */
  reveal() {
    this.over.parentElement.scrollIntoView({ block: "nearest" });
  }

  focusCue(cue) {
    this.reveal();
    if (cue.geometry) {
      this.usePixels(null);
      this.say(null);
      this.map.fitBounds(L.geoJSON(cue.geometry).getBounds().pad(1), { maxZoom: 19 });
    } else this.showPixelCue(cue);
  }

  showPixelCue(cue) {
    const feature = this.scenes.get(cue.scene_key);
    if (!feature) return;
    this.usePixels(feature);
    this.pixelCues.clearLayers();
    for (const each of this.cueList.filter((other) => other.scene_key === cue.scene_key)) {
      const box = L.rectangle(this.pixelBox(each.window), { className: "cue-box", weight: 2.5, fillOpacity: 0 });
      box.bindTooltip(clean(each.rank), { permanent: true, direction: "top", className: "cue-mark" });
      box.on("click", () => this.onCue(each.rank));
      this.pixelCues.addLayer(box);
    }
    this.pixelMap.fitBounds(this.pixelBox(cue.window).pad(1.5));
  }

  /** Let a person draw a rectangle; `done(bbox)` gets west, south, east, north in degrees, or null. */
  draw(done) {
    this.usePixels(null);
    const { map, place } = this;
    map.dragging.disable();
    place.classList.add("drawing");
    let start = null;
    const boxTo = (event) => L.latLngBounds(start, map.mouseEventToLatLng(event));
    // Pointers, not the map's own mouse events: a finger draws as well.
    const listeners = {
      pointerdown: (event) => {
        if (event.target.closest(".leaflet-control")) return;
        start = map.mouseEventToLatLng(event); place.setPointerCapture(event.pointerId);
      },
      pointermove: (event) => { if (start) this.markArea(boxTo(event)); },
      pointerup: (event) => {
        if (!start) return;
        const box = boxTo(event);
        finish(box.getWest() < box.getEast() && box.getSouth() < box.getNorth() ? numbers(box) : null);
      },
      pointercancel: () => finish(null),
    };
    const escape = (event) => { if (event.key === "Escape") finish(null); };
    const finish = (box) => {
      for (const [name, act] of Object.entries(listeners)) place.removeEventListener(name, act, true);
      document.removeEventListener("keydown", escape);
      map.dragging.enable();
      place.classList.remove("drawing");
      done(box);
    };
    for (const [name, act] of Object.entries(listeners)) place.addEventListener(name, act, true);
    document.addEventListener("keydown", escape);
    return () => finish(null);
  }

  viewBox() {
    return numbers(this.map.getBounds());
  }

  setArea(bbox) {
    this.areaLayer.clearLayers();
    if (bbox) this.markArea(L.latLngBounds([[bbox[1], bbox[0]], [bbox[3], bbox[2]]]));
  }

  markArea(box) {
    this.areaLayer.clearLayers();
    this.areaLayer.addLayer(L.rectangle(box, { className: "area", weight: 2, fillOpacity: 0.08, interactive: false }));
  }

  overlap(one, other) {
    return bounds(this.scenes.get(one)).overlaps(bounds(this.scenes.get(other)));
  }

  /** Compare two scenes with a slider over the map; null ends it. */
  compare(before, after) {
    for (const layer of this.comparing || []) layer.remove();
    this.comparing = null;
    if (this.clip) this.map.off("move zoom resize", this.clip);
    if (!before || !after) { this.say(null); this.refresh(); return; }
    this.show(after);
    this.comparing = [this.tiles(before, "before").addTo(this.map), this.tiles(after, "after").addTo(this.map)];
    this.refresh();
    const name = (key) => day(this.scenes.get(key).properties.acquired) || this.scenes.get(key).properties.item || key;
    const slider = el("input", { type: "range", min: "0", max: "100", value: "50", "aria-label": `Show ${name(before)} on the left and ${name(after)} on the right` });
    const line = el("div", { class: "divider", "aria-hidden": "true" });
    this.clip = () => {
      const width = this.place.clientWidth;
      const at = (width * Number(slider.value)) / 100;
      line.style.left = `${at}px`;
      const origin = this.map.containerPointToLayerPoint([0, 0]);
      const far = this.map.containerPointToLayerPoint([width, this.place.clientHeight]);
      const pane = this.map.getPane("after");
      pane.style.clip = `rect(${origin.y}px, ${far.x}px, ${far.y}px, ${origin.x + at}px)`;
    };
    slider.addEventListener("input", this.clip);
    this.map.on("move zoom resize", this.clip);
    fill(this.over, line,
      el("div", { class: "comparing" }, el("span", {}, name(before)), slider, el("span", {}, name(after)),
        el("button", { type: "button", class: "button", on: { click: () => this.compare(null, null) } }, "End")));
    this.clip();
    slider.focus();
  }
}

function bounds(feature) {
  return L.geoJSON(feature.geometry).getBounds();
}

function numbers(box) {
  const inside = (value, most) => Math.max(-most, Math.min(most, Number(value.toFixed(6))));
  return [inside(box.getWest(), 180), inside(box.getSouth(), 90), inside(box.getEast(), 180), inside(box.getNorth(), 90)];
}

