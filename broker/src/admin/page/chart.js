// A line chart over the last minutes: axes with units, a legend with the values of the moment (or of the one pointed at).
import { clock, el, svg } from "./dom.js";

const WIDTH = 520;
const HEIGHT = 190;
const LEFT = 74;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;

/** How much time a chart shows, in milliseconds. */
export const SPAN = 5 * 60 * 1000;

/** Two moments farther apart than this are not joined: nobody knows what was between them. */
const GAP = 3500;

export class Chart {
  /** `format` writes a value of the axis with its unit; `base` is what a step of the axis is a nice multiple of. */
  constructor(title, unit, format, { step = nice, least = 1 } = {}) {
    this.format = format;
    this.step = step;
    this.least = least;
    this.title = title;
    this.names = [];
    this.plot = svg("g");
    this.pointer = svg("line", { class: "cross", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.svg = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }, this.plot, this.pointer);
    this.key = el("ul", { class: "key" });
    this.figure = el("figure", { class: "chart" }, el("figcaption", {}, `${title} `, el("span", { class: "quiet" }, unit)),
      this.key, this.svg);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.at = null;
  }

  /** `samples` are `{at, values: {name: number | null}}`, oldest first; `names` says which, in their order. */
  draw(samples, names, now) {
    this.samples = samples;
    this.names = names;
    this.now = now;
    const values = samples.flatMap((sample) => names.map((name) => sample.values[name] ?? 0));
    const top = Math.max(this.least, ...values);
    const step = this.step(top / 4);
    this.top = Math.max(step, Math.ceil(top / step) * step);
    const parts = [];
    for (let value = 0; value <= this.top * 1.0001; value += step) parts.push(...this.rule(value));
    for (let minute = 4; minute >= 0; minute -= 1) parts.push(this.minute(minute));
    names.forEach((name, index) => {
      const path = this.path(name);
      if (path) parts.push(svg("path", { class: `series s${index % 6}`, d: path }));
    });
    this.plot.replaceChildren(...parts);
    this.legend();
  }

  rule(value) {
    const y = this.y(value);
    const kind = value === 0 ? "axis" : "gridline";
    return [
      svg("line", { class: kind, x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }),
      svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, this.format(value)),
    ];
  }

  minute(minute) {
    const x = this.x(this.now - minute * 60000);
    const anchor = minute === 0 ? "end" : "middle";
    return svg("text", { x, y: HEIGHT - 7, "text-anchor": anchor }, minute === 0 ? "now" : `−${minute} min`);
  }

  /** Parted where a value or a moment is missing. */
  path(name) {
    let path = "";
    let before = null;
    for (const { at, values } of this.samples) {
      const value = values[name];
      if (value === null || value === undefined) {
        before = null;
        continue;
      }
      const joined = before !== null && at - before <= GAP;
      path += `${joined ? "L" : "M"}${this.x(at).toFixed(1)} ${this.y(value).toFixed(1)}`;
      // A moment by itself is seen as a dot.
      if (!joined) path += "h0.5";
      before = at;
    }
    return path;
  }

  legend() {
    const sample = this.at ?? this.samples.at(-1);
    const values = this.names.map((name) => this.format(sample?.values[name]));
    this.svg.setAttribute("aria-label", `${this.title}: ${this.names.map((name, at) => `${name} ${values[at]}`).join(", ")}`);
    if (this.key.children.length !== this.names.length || this.shown !== this.names.join("\n")) {
      this.shown = this.names.join("\n");
      this.key.replaceChildren(...this.names.map((name, index) => {
        const line = svg("line", { class: `series s${index % 6}`, x1: 0, x2: 26, y1: 4, y2: 4 });
        const sign = svg("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" }, line);
        return el("li", {}, sign, `${name} `, el("b", {}));
      }));
    }
    [...this.key.children].forEach((item, index) => (item.lastChild.textContent = values[index]));
    if (this.when) this.when.remove();
    this.when = this.at ? el("li", { class: "quiet" }, `at ${clock(this.at.at)}`) : null;
    if (this.when) this.key.append(this.when);
  }

  /** The moment nearest to the pointer. */
  point(event) {
    this.at = null;
    if (event && this.samples?.length) {
      const box = this.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * WIDTH;
      const far = (sample) => Math.abs(this.x(sample.at) - x);
      this.at = this.samples.reduce((best, sample) => (far(sample) < far(best) ? sample : best));
      const at = this.x(this.at.at);
      this.pointer.setAttribute("x1", at);
      this.pointer.setAttribute("x2", at);
    }
    this.pointer.setAttribute("visibility", this.at ? "visible" : "hidden");
    if (this.samples) this.legend();
  }

  x(at) {
    return LEFT + (1 - (this.now - at) / SPAN) * (WIDTH - LEFT - RIGHT);
  }

  y(value) {
    return HEIGHT - BOTTOM - (value / this.top) * (HEIGHT - TOP - BOTTOM);
  }
}

/** The next of 1, 2, 5, 10, … */
export function nice(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map((of) => of * power).find((it) => it >= step * 0.9999);
}

export const wholeSteps = (step) => Math.max(1, nice(step));

/** The next of 1, 2, 4, … of bytes. */
export const bytesStep = (step) => 2 ** Math.ceil(Math.log2(step));
