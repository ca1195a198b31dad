/** A second result next to the first: in step from an event on, with the differences of its numbers. */
import { about, card, missing, table, value } from "./cards.js";
import { element } from "./dom.js";
import { nearestFrame } from "./timing.js";
import { date, number, text } from "./text.js";

const JOINTS = ["knee", "hip", "shoulder", "elbow"];
const SIDES = ["left", "right"];
const ALIKE = {
  definitions: (summary) => summary.definitions,
  view: (summary) => summary.view,
  movement: (summary) => summary.movement,
  model: (summary) => summary.model,
  filter: (summary) => summary.filter?.cutoff_hz,
  near_side: (summary) => summary.near_side,
};

/** Return the first event of each kind of a person, `{kind: seconds}`. */
export function firstEvents(clip, id) {
  const summary = clip.summary(id);
  const first = {};
  const take = (kind, time) => { if (!(first[kind] <= time)) first[kind] = time; };
  for (const event of summary?.gait?.events ?? []) take(`${event.kind}.${event.side}`, event.t_s);
  for (const rep of summary?.reps ?? []) take("peak", rep.t_peak_s);
  for (const jump of summary?.jumps ?? []) {
    take("takeoff", jump.t_takeoff_s);
    take("landing", jump.t_landing_s);
  }
  return first;
}

/** Return the kinds of events that both have, in the first one's order. */
export function commonEvents(first, second) {
  return Object.keys(first).filter((kind) => kind in second);
}

/** Return the frame of another clip that is as long after its event as `frame` is after this one's. */
export function frameInStep(clip, frame, at, other, otherAt) {
  return nearestFrame(other.times, otherAt + clip.times[frame] - at);
}

/**
 * Return the ranges of motion of two people, and their difference, second less first.
 *
 * `apart` says whether the 95 % intervals do not overlap: then the difference is larger than what
 * repeating the measurement explains; null without both intervals. `difference` is null without both.
 */
export function differences(first, second) {
  return JOINTS.flatMap((joint) => SIDES.map((side) => {
    const [a, b] = [first, second].map((summary) => summary?.joints?.[`${side}_${joint}`] ?? null);
    const known = isNumber(a?.rom) && isNumber(b?.rom);
    const [mine, its] = [a?.rom_ci95, b?.rom_ci95];
    const both = known && isInterval(mine) && isInterval(its);
    return {
      joint, side, first: a, second: b,
      difference: known ? b.rom - a.rom : null,
      apart: both ? mine[1] < its[0] || its[1] < mine[0] : null,
    };
  }));
}

/**
 * Return the names of what makes two results incomparable, as in the service's own comparison of
 * results: a nearer side is one only where both are known.
 */
export function mismatches(first, second) {
  return Object.keys(ALIKE).filter((name) => {
    const [a, b] = [first, second].map((summary) => (summary ? ALIKE[name](summary) : undefined));
    return name === "near_side" ? Boolean(a && b) && a !== b : a !== b;
  });
}

/** Return the card of the differences; a sentence where the results are not comparable. */
export function differencesCard(first, second, name) {
  const apart = mismatches(first, second).map((one) => text(`compare.differs.${one}`));
  if (apart.length) {
    return card("compare.title", [element("p", text("compare.not", { what: apart.join(", ") }))]);
  }
  const header = ["", text("compare.this"), name, text("compare.difference")];
  const rows = differences(first, second).map((row) => [
    `${text(`side.${row.side}`)} ${text(`joint.${row.joint}`)}`,
    measured(row.first), measured(row.second),
    row.difference === null ? missing(null) : value(`${number(row.difference)}°`, text(`compare.${verdict(row.apart)}`)),
  ]);
  return card("compare.title", [table(header, rows), about("compare.about")]);
}

function verdict(apart) {
  if (apart === null) return "unknown";
  return apart ? "apart" : "within";
}

function measured(joint) {
  return isNumber(joint?.rom) ? value(`${number(joint.rom)}°`) : missing(joint?.reason ?? "not_given");
}

function isNumber(given) {
  return typeof given === "number";
}

function isInterval(ends) {
  return Boolean(ends) && ends.every(isNumber);
}

/** The second result of the page. */
export class Comparison {
  #first = null;
  #second = null;
  #jobs = [];
  #moments = [0, 0]; // of the common event in both, seconds

  /**
   * @param elements choose, sync and syncRow, and pair and box of the stages.
   * @param stage of the second result. load: returns a job's `{clip, source}`. onChange: called when
   *     what is compared changes.
   */
  constructor(elements, { stage, load, nameOf, onChange, onProblem }) {
    Object.assign(this, elements, { stage, load, nameOf, onChange, onProblem });
    this.choose.addEventListener("change", () => this.#open(this.choose.value).catch(onProblem));
    this.sync.addEventListener("change", () => { this.#meet(); this.#changed(); });
  }

  /** Offer the finished jobs of a list; `job` is the one that is shown. */
  offer(jobs, job) {
    this.close();
    this.#jobs = jobs.filter(({ id, state }) => id !== job.id && state === "succeeded");
    const none = new Option(text("compare.none"), "");
    this.choose.replaceChildren(none, ...this.#jobs.map((one) => new Option(`${this.nameOf(one)}, ${date(one.created_at)}`, one.id)));
    this.choose.closest("label").hidden = !this.#jobs.length;
  }

  close() {
    this.#second = null;
    this.choose.value = "";
    this.box.hidden = this.syncRow.hidden = true;
    this.pair.classList.remove("two");
    this.stage.close();
  }

  /** Show a person and a frame of the first result; the second follows. */
  follow(clip, person, frame) {
    const isNew = this.#first?.clip !== clip || this.#first?.person !== person;
    this.#first = { clip, person, frame };
    if (!this.#second) return;
    if (isNew) this.#events();
    const [at, otherAt] = this.#moments;
    this.stage.seek(frameInStep(clip, frame, at, this.#second.clip, otherAt));
  }

  /** The second result for the curves: clip, person and the seconds to add to its times; null without. */
  get curves() {
    if (!this.#second) return null;
    const [at, otherAt] = this.#moments;
    return { clip: this.#second.clip, person: this.#second.person, shift: at - otherAt };
  }

  get card() {
    if (!this.#second) return null;
    const { clip, person, name } = this.#second;
    return differencesCard(this.#first.clip.summary(this.#first.person), clip.summary(person), name);
  }

  async #open(id) {
    const job = this.#jobs.find((one) => one.id === id);
    if (!job) {
      this.close();
      this.onChange();
      return;
    }
    const { clip, source } = await this.load(job);
    if (this.choose.value !== id) return; // another one was chosen meanwhile
    this.#second = { clip, person: clip.people[0] ?? null, name: this.nameOf(job) };
    this.box.hidden = this.syncRow.hidden = false;
    this.pair.classList.add("two");
    this.stage.open(clip, source);
    this.#events();
    this.#changed();
  }

  #events() {
    const [first, second] = [this.#first, this.#second].map(({ clip, person }) => firstEvents(clip, person));
    const kept = this.sync.value;
    const kinds = ["start", ...commonEvents(first, second)];
    this.sync.replaceChildren(...kinds.map((kind) => new Option(text(`compare.at.${kind}`), kind)));
    this.sync.value = kinds.includes(kept) ? kept : kinds[Math.min(1, kinds.length - 1)];
    this.#meet();
  }

  #meet() {
    this.#moments = [this.#first, this.#second].map(({ clip, person }) => firstEvents(clip, person)[this.sync.value] ?? clip.times[0]);
  }

  #changed() {
    this.onChange();
    this.follow(this.#first.clip, this.#first.person, this.#first.frame);
  }
}
