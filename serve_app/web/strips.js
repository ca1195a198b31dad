/** Small pictures of numbers: a mark for each trial, and a place in a population. */
import { number, text } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, EDGE] = [120, 18, 5];

/** Return the ends that hold all values of several measures, with room at both; null without values. */
export function scaleOf(lists) {
  const all = lists.flat().filter((value) => value !== null);
  if (!all.length) return null;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = 0.05 * (high - low) || 0.5;
  return [low - room, high + room];
}

/** Return the place of a value between two ends of a strip, in its units. */
export function placeOf(value, [low, high]) {
  return EDGE + ((value - low) / (high - low)) * (WIDTH - 2 * EDGE);
}

/** Draw a mark for each trial's value, and a longer one for their mean. */
export function trials(values, mean, scale, side, label) {
  const made = strip(label);
  line(made, EDGE, WIDTH - EDGE, HEIGHT / 2, HEIGHT / 2, "axis");
  for (const value of values) line(made, placeOf(value, scale), placeOf(value, scale), 5, HEIGHT - 5, `mark ${side ?? "both"}`);
  line(made, placeOf(mean, scale), placeOf(mean, scale), 1, HEIGHT - 1, `mean ${side ?? "both"}`);
  return made;
}

/** Draw a percentile on a bar of its population. */
export function percentile({ percentile: at, percentile_ci95: ends, side, population, source }) {
  const of = text("norms.at", { at: number(at), population, source });
  const made = strip(of);
  const place = (value) => placeOf(value, [0, 100]);
  box(made, place(0), place(100), "whole");
  if (ends) line(made, place(ends[0]), place(ends[1]), HEIGHT / 2, HEIGHT / 2, `interval ${side ?? "both"}`);
  line(made, place(at), place(at), 1, HEIGHT - 1, `mean ${side ?? "both"}`);
  return made;
}

function strip(label) {
  const made = document.createElementNS(SVG, "svg");
  const given = { class: "strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": label };
  for (const [name, value] of Object.entries(given)) made.setAttribute(name, value);
  const title = made.appendChild(document.createElementNS(SVG, "title"));
  title.textContent = label;
  return made;
}

function line(strip, x1, x2, y1, y2, kind) {
  shape(strip, "line", { x1, x2, y1, y2, class: kind });
}

function box(strip, from, to, kind) {
  shape(strip, "rect", { x: from, width: to - from, y: 4, height: HEIGHT - 8, class: kind });
}

function shape(strip, tag, given) {
  const made = strip.appendChild(document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(given)) made.setAttribute(name, value);
}
