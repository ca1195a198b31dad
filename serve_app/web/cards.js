/** Cards of numbers: each with its interval, or the reason why it is missing. */
import { element } from "./dom.js";
import { percentile, scaleOf, trials } from "./strips.js";
import { number, reason, text, words } from "./text.js";

const JOINTS = ["knee", "hip", "shoulder", "elbow"];
const TRUNK = ["trunk_lean", "trunk_lateral_lean"];
const SCORES = { pose_quality: 100, stability_score: 100, symmetry_index: 1, athletic_readiness: 100 };
const UNITS = { deg: "°", "deg/s": "°/s", 1: "", stature: "×", "1/min": "/min" };
const DIGITS = { deg: 1, "deg/s": 0, "1/min": 1 };

/** @param summary of a person, null without. @param sentences of the person, null without. */
export function cardsOf(summary, sentences) {
  const cards = [cautions(sentences?.cautions ?? [])];
  if (!summary || summary.reason) return [...cards, card("card.ranges", [paragraph(reason(summary?.reason))])];
  return [
    ...cards, ranges(summary), movement(summary), scores(summary), norms(summary), findings(sentences), measures(summary),
  ].filter(Boolean);
}

function cautions(lines) {
  return card("card.cautions", [lines.length ? list(lines) : paragraph(text("card.nothing"))], "caution");
}

function findings(sentences) {
  const lines = [...(sentences?.findings ?? []), ...(sentences?.judged ?? [])];
  return card("card.findings", [lines.length ? list(lines) : paragraph(text("card.findings.none"))]);
}

function ranges({ joints }) {
  const header = ["", ...["left", "right"].map((side) => text(`side.${side}`))];
  const rows = JOINTS.map((joint) => [
    text(`joint.${joint}`), ...["left", "right"].map((side) => range(joints[`${side}_${joint}`])),
  ]);
  const trunk = TRUNK.filter((name) => joints[name]).map((name) => [text(`joint.${name}`), range(joints[name])]);
  return card("card.ranges", [table(header, [...rows, ...trunk]), about("card.ranges.about")]);
}

function range(joint) {
  if (!joint) return missing("not_given");
  if (joint.rom === null) return missing(joint.reason);
  return value(`${number(joint.rom)}°`, interval(joint.rom_ci95));
}

function interval(ends) {
  if (!ends || ends[0] === null || ends[1] === null) return "";
  return text("interval", { low: number(ends[0]), high: number(ends[1]) });
}

function movement(summary) {
  const { gait, jumps, reps } = summary;
  const rows = [];
  if (reps.length) {
    const cut = summary.reps_cut.length;
    rows.push([text("reps"), value(number(reps.length), cut ? text("reps.cut", { n: cut }) : "")]);
    const mean = reps.reduce((sum, rep) => sum + rep.duration_s, 0) / reps.length;
    rows.push([text("reps.duration"), value(`${number(mean, 2)} s`)]);
  } else {
    rows.push([text("reps"), missing(summary.reps_reason)]);
  }
  if (gait) {
    rows.push([text("gait"), value(text(gait.running ? "gait.running" : "gait.walking"))]);
    rows.push([text("gait.steps"), value(number(gait.steps))]);
    rows.push([text("gait.cadence"), gait.cadence_per_min === null ? missing("insufficient_history") : value(number(gait.cadence_per_min))]);
  } else {
    rows.push([text("gait"), missing(summary.gait_reason)]);
  }
  jumps.forEach((jump, nth) => rows.push([
    text("jump.n", { n: nth + 1 }),
    jump.height_m === null
      ? missing(jump.reason)
      : value(`${number(jump.height_m, 2)} m`, jump.height_error_m === null ? "" : `± ${number(jump.height_error_m, 2)} m`),
  ]));
  if (!jumps.length) rows.push([text("jumps"), missing(null)]);
  return card("card.movement", [table(null, rows)]);
}

function scores({ scores: given }) {
  const rows = Object.entries(SCORES).map(([name, most]) => {
    const score = given[name];
    if (!score || score.value === null) return [text(`score.${name}`), missing(score?.reason)];
    const meter = element("meter");
    Object.assign(meter, { min: 0, max: most, value: score.value });
    meter.setAttribute("aria-label", text(`score.${name}`));
    const shown = value(number(score.value, most === 1 ? 2 : 0), `/ ${most}`);
    shown.append(meter);
    return [text(`score.${name}`), shown];
  });
  return card("card.scores", [table(null, rows), about("card.scores.about")]);
}

/** Measures on the bar of the population that the caller gave; none without. */
function norms({ applications }) {
  const known = (applications?.norms?.comparisons ?? []).filter((one) => one.percentile !== null);
  if (!known.length) return null;
  const rows = known.map((one) => {
    const side = one.side ? `${text(`side.${one.side}`)} ` : "";
    const at = value(text("norms.percentile", { at: number(one.percentile) }), `${one.population}, n = ${number(one.n)} (${one.source})`);
    return [side + words(one.metric), percentile(one), at];
  });
  return card("card.norms", [table(null, rows), about("card.norms.about")]);
}

function measures({ measures: given }) {
  if (!given.length) return null;
  const rows = given.map((measure) => {
    const digits = DIGITS[measure.unit] ?? 2;
    const unit = UNITS[measure.unit] ?? ` ${measure.unit}`;
    const side = measure.side ? `${text(`side.${measure.side}`)} ` : "";
    const spread = measure.sd === null ? "" : `± ${number(measure.sd, digits)}`;
    const same = given.filter(({ metric, unit: its }) => metric === measure.metric && its === measure.unit);
    const scale = scaleOf(same.map(({ values }) => values));
    const label = text("measure.trials", { values: measure.values.map((one) => number(one, digits)).join(", ") });
    const marks = scale ? trials(measure.values, measure.mean, scale, measure.side, label) : "";
    return [side + words(measure.metric), value(`${number(measure.mean, digits)}${unit}`, spread), marks, number(measure.n)];
  });
  const details = element("details");
  details.append(element("summary", text("card.measures")));
  details.append(table(["measure.name", "measure.mean", "measure.each", "measure.n"].map((key) => text(key)), rows));
  const made = element("section");
  made.className = "card";
  made.append(details);
  return made;
}

export function card(title, content, kind = "") {
  const made = element("section");
  made.className = `card ${kind}`;
  made.append(element("h3", text(title)), ...content);
  return made;
}

export function table(header, rows) {
  const made = element("table");
  if (header) {
    const row = made.createTHead().insertRow();
    header.forEach((title) => { row.append(Object.assign(element("th", title), { scope: "col" })); });
  }
  const body = made.createTBody();
  const columns = Math.max(...rows.map((row) => row.length));
  for (const [name, ...cells] of rows) {
    const row = body.insertRow();
    row.append(Object.assign(element("th", name), { scope: "row" }));
    cells.forEach((cell, nth) => {
      const made = row.insertCell();
      if (nth === cells.length - 1) made.colSpan = columns - 1 - nth;
      made.append(cell);
    });
  }
  return made;
}

export function value(main, more = "") {
  const made = element("span");
  made.append(element("b", main));
  if (more) made.append(" ", element("small", more));
  return made;
}

export function missing(code) {
  const made = element("span");
  made.className = "missing";
  made.append(text("missing"), " ", element("small", reason(code)));
  return made;
}

export function about(key) {
  return Object.assign(paragraph(text(key)), { className: "about" });
}

/** Sentences of the service, which are English. */
function list(lines) {
  const made = element("ul");
  made.lang = "en";
  made.append(...lines.map((line) => element("li", line)));
  return made;
}

function paragraph(words) {
  return element("p", words);
}
