/** Curves of the joint angles under the video: intervals shaded, events marked, one cursor. */
import { countCycles, cyclesOf, meanBand, normalized, PERCENT, percentAt } from "./cycles.js";
import { number, text } from "./text.js";
import { frameAt } from "./timing.js";

const JOINTS = ["knee", "elbow", "shoulder"];
const SIDES = ["left", "right"];
const HEIGHT = 130;
const EDGE = { left: 38, right: 8, top: 8, bottom: 20 };
const STEPS_DEG = [5, 10, 20, 30, 45, 60, 90];
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600];

export class Curves {
  #clip = null;
  #charts = [];
  #frame = 0;
  #cycles = {};
  #other = null;

  /** @param onSeek called with the frame that a click or a key asks for. */
  constructor(root, onSeek) {
    this.root = root;
    this.onSeek = onSeek;
    this.intervals = true;
    this.byCycle = false;
    new ResizeObserver(() => this.#draw()).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** @param other a second result to draw over it: `{clip, person, shift}` in seconds; null without. */
  show(clip, person, other = null) {
    this.#clip = clip;
    this.#other = other;
    this.#cycles = Object.fromEntries(SIDES.map((side) => [side, cyclesOf(clip, person, side)]));
    this.#charts = JOINTS.map((joint) => this.#chart(joint, person));
    this.marks = clip.marks(person);
    this.root.replaceChildren(...this.#charts.map((chart) => chart.figure));
    this.#draw();
    this.move(this.#frame);
  }

  /** Whether there are cycles to show. */
  get hasCycles() {
    return SIDES.some((side) => this.#cycles[side]?.length);
  }

  /** What the curves show, in words. */
  get about() {
    if (!this.#overCycle) return text("curves.about");
    return text("curves.cycle.about", { n: countCycles(this.#charts.flatMap(({ sides }) => SIDES.map((side) => sides[side].leftOut))) });
  }

  /** Show curves over time or over the per cent of a cycle, with intervals or without. */
  set({ byCycle = this.byCycle, intervals = this.intervals }) {
    Object.assign(this, { byCycle, intervals });
    this.#draw();
  }

  get #overCycle() {
    return this.byCycle && this.hasCycles;
  }

  /** Move the cursor to frame `index`. */
  move(index) {
    if (!this.#clip) return;
    this.#frame = Math.min(index, this.#clip.times.length - 1);
    const time = this.#clip.times[this.#frame];
    for (const chart of this.#charts) {
      const place = this.#cursorAt(time);
      chart.cursor.hidden = place === null;
      chart.cursor.style.transform = `translateX(${this.#x(place ?? 0, this.root.clientWidth)}px)`;
      const values = Object.fromEntries(SIDES.map((side) => [side, number(chart.sides[side].values[this.#frame])]));
      const now = text("curves.at", { time: number(time, 2), ...values });
      chart.now.textContent = now;
      chart.box.setAttribute("aria-valuenow", this.#frame);
      chart.box.setAttribute("aria-valuetext", now);
    }
  }

  #chart(joint, person) {
    const figure = element("figure", "curve");
    const caption = figure.appendChild(element("figcaption"));
    const title = text("curves.title", { joint: text(`curves.${joint}`) });
    caption.appendChild(element("strong")).textContent = title;
    for (const side of SIDES) caption.appendChild(element("span", `key ${side}`)).textContent = text(`side.${side}`);
    const now = caption.appendChild(element("span", "now"));
    const box = figure.appendChild(element("div", "plot"));
    const canvas = box.appendChild(element("canvas"));
    const cursor = box.appendChild(element("div", "cursor"));
    const sides = Object.fromEntries(SIDES.map((side) => [side, this.#clip.series(person, `${side}_${joint}`)]));
    const slider = { role: "slider", tabindex: 0, "aria-label": title, "aria-valuemin": 0, "aria-valuemax": this.#clip.times.length - 1 };
    for (const [name, value] of Object.entries(slider)) box.setAttribute(name, value);
    const seek = (event) => {
      const { left, top } = canvas.getBoundingClientRect();
      const at = this.#time(event.clientX - left, canvas.clientWidth);
      const time = this.#overCycle ? this.#timeInCycle(chart, at, event.clientY - top) : at;
      if (time !== null) this.onSeek(frameAt(this.#clip.times, time));
    };
    box.addEventListener("pointerdown", (event) => { box.setPointerCapture(event.pointerId); seek(event); });
    box.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });
    for (const side of SIDES) {
      const all = this.#cycles[side].map((cycle) => ({ cycle, curve: normalized(this.#clip.times, sides[side].values, cycle) }));
      sides[side].cycles = all.filter(({ curve }) => curve);
      sides[side].leftOut = all.filter(({ curve }) => !curve).map(({ cycle }) => cycle);
      sides[side].over = meanBand(sides[side].cycles.map(({ curve }) => curve));
    }
    const others = this.#other && Object.fromEntries(SIDES.map((side) => [side, this.#otherCurve(`${side}_${joint}`, side)]));
    const chart = { figure, box, canvas, cursor, now, sides, others, y: null };
    return chart;
  }

  /** Values of the second result over its shifted times, and its mean over the cycle. */
  #otherCurve(angle, side) {
    const { clip, person, shift } = this.#other;
    const { values } = clip.series(person, angle);
    const curves = cyclesOf(clip, person, side).map((cycle) => normalized(clip.times, values, cycle)).filter(Boolean);
    return { times: clip.times.map((time) => time + shift), values, mean: meanBand(curves).mean };
  }

  /** Place of the cursor on the axis; null where the time is in no cycle. */
  #cursorAt(time) {
    if (!this.#overCycle) return time;
    return percentAt(this.#cycles.left, time) ?? percentAt(this.#cycles.right, time);
  }

  /** The time at a per cent of the cycle whose curve is nearest to a click; null without cycles. */
  #timeInCycle({ sides, y }, percent, down) {
    const at = Math.max(0, Math.min(100, Math.round(percent)));
    const all = SIDES.flatMap((side) => sides[side].cycles).filter(({ curve }) => y && curve[at] !== null);
    const apart = ({ curve }) => Math.abs(y(curve[at]) - down);
    const nearest = all.sort((a, b) => apart(a) - apart(b))[0];
    return nearest ? nearest.cycle.from + ((nearest.cycle.to - nearest.cycle.from) * at) / 100 : null;
  }

  get #span() {
    if (this.#overCycle) return [0, 100];
    const { times } = this.#clip;
    return [times[0], Math.max(times[times.length - 1], times[0] + 0.1)];
  }

  #x(time, width) {
    const [first, last] = this.#span;
    return EDGE.left + ((time - first) / (last - first)) * (width - EDGE.left - EDGE.right);
  }

  #time(x, width) {
    const [first, last] = this.#span;
    return first + ((x - EDGE.left) / (width - EDGE.left - EDGE.right)) * (last - first);
  }

  #draw() {
    const width = this.root.clientWidth;
    if (!this.#clip || !width) return;
    const style = getComputedStyle(this.root);
    const colors = Object.fromEntries(["left", "right", "line", "soft", "flight"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    for (const chart of this.#charts) this.#paint(chart, width, colors);
    this.move(this.#frame);
  }

  #paint(chart, width, colors) {
    const { canvas, sides } = chart;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = HEIGHT * ratio;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "12px system-ui, sans-serif";
    const cyclic = this.#overCycle;
    const second = Object.values(chart.others ?? {}).map(({ mean, values }) => (cyclic ? mean : values));
    const range = rangeOf([...(cyclic ? cycleCurves(sides) : Object.values(sides).map(({ values }) => values)), ...second]);
    if (!range) {
      pen.fillStyle = colors.soft;
      pen.fillText(text("curves.none"), EDGE.left, HEIGHT / 2);
      return;
    }
    const y = (value) => EDGE.top + ((range[1] - value) / (range[1] - range[0])) * (HEIGHT - EDGE.top - EDGE.bottom);
    chart.y = y;
    const x = (cyclic ? PERCENT : this.#clip.times).map((place) => this.#x(place, width));
    this.#axes(pen, width, range, y, colors);
    if (!cyclic) this.#events(pen, width, colors);
    pen.save();
    pen.beginPath();
    pen.rect(EDGE.left, 0, width - EDGE.left - EDGE.right, HEIGHT - EDGE.bottom);
    pen.clip();
    for (const side of SIDES) {
      const { over, intervals } = sides[side];
      if (this.intervals) shade(pen, x, y, cyclic ? over.band : intervals, colors[side]);
    }
    for (const side of SIDES) {
      const { cycles, over, values } = sides[side];
      if (cyclic) for (const { curve } of cycles) trace(pen, x, y, curve, colors[side], 0.7);
      trace(pen, x, y, cyclic ? over.mean : values, colors[side], cyclic ? 2.6 : 1.8);
    }
    pen.setLineDash([5, 4]);
    for (const [side, { times, values, mean }] of Object.entries(chart.others ?? {})) {
      const places = cyclic ? x : times.map((time) => this.#x(time, width));
      trace(pen, places, y, cyclic ? mean : values, colors[side], 1.8);
    }
    pen.restore();
  }

  #axes(pen, width, [low, high], y, colors) {
    pen.strokeStyle = colors.line;
    pen.fillStyle = colors.soft;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const step = stepOf(STEPS_DEG, (high - low) / 4);
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      pen.beginPath();
      pen.moveTo(EDGE.left, Math.round(y(value)) + 0.5);
      pen.lineTo(width - EDGE.right, Math.round(y(value)) + 0.5);
      pen.stroke();
      pen.fillText(`${number(value)}°`, EDGE.left - 5, y(value));
    }
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    const [first, last] = this.#span;
    if (this.#overCycle) {
      for (const percent of [0, 25, 50, 75, 100]) pen.fillText(`${number(percent)} %`, Math.min(this.#x(percent, width), width - 20), HEIGHT - 5);
      return;
    }
    const every = stepOf(STEPS_S, (last - first) / Math.max(2, width / 90));
    for (let nth = Math.ceil(first / every); nth * every <= last; nth += 1) {
      pen.fillText(`${number(nth * every, every < 1 ? 1 : 0)} s`, Math.min(this.#x(nth * every, width), width - 16), HEIGHT - 5);
    }
  }

  #events(pen, width, colors) {
    const bottom = HEIGHT - EDGE.bottom;
    for (const mark of this.marks) {
      const [from, to] = [this.#x(mark.from, width), this.#x(mark.to, width)];
      pen.fillStyle = mark.kind === "flight" ? colors.flight : colors[mark.side ?? "soft"];
      if (mark.kind === "flight") pen.fillRect(from, EDGE.top, Math.max(1, to - from), bottom - EDGE.top);
      else pen.fillRect(from - 1, bottom - 9, 2, 9);
    }
  }
}

function cycleCurves(sides) {
  return Object.values(sides).flatMap(({ cycles }) => cycles.map(({ curve }) => curve));
}

function rangeOf(curves) {
  let [low, high] = [Infinity, -Infinity];
  for (const values of curves) {
    for (const value of values) {
      if (value !== null) [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
  }
  if (low > high) return null;
  const room = Math.max(5, 0.15 * (high - low));
  return [Math.max(0, low - room), Math.min(180, high + room)];
}

function stepOf(steps, least) {
  return steps.find((step) => step >= least) ?? steps[steps.length - 1];
}

/** Stretches of indices in which nothing is null. */
function runs(items) {
  const found = [];
  let begin = -1;
  for (let at = 0; at <= items.length; at += 1) {
    const known = at < items.length && items[at] !== null;
    if (known && begin < 0) begin = at;
    if (!known && begin >= 0) {
      found.push([begin, at]);
      begin = -1;
    }
  }
  return found;
}

function shade(pen, x, y, intervals, color) {
  pen.fillStyle = color;
  pen.globalAlpha = 0.18;
  for (const [begin, end] of runs(intervals)) {
    pen.beginPath();
    for (let at = begin; at < end; at += 1) pen.lineTo(x[at], y(intervals[at][1]));
    for (let at = end - 1; at >= begin; at -= 1) pen.lineTo(x[at], y(intervals[at][0]));
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function trace(pen, x, y, values, color, width) {
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.lineJoin = "round";
  for (const [begin, end] of runs(values)) {
    pen.beginPath();
    for (let at = begin; at < end; at += 1) pen.lineTo(x[at], y(values[at]));
    if (end - begin === 1) pen.lineTo(x[begin] + 1, y(values[begin]));
    pen.stroke();
  }
}

function element(tag, className = "") {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}
