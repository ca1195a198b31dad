/** Corrections by hand that are not sent yet: points placed or hidden, events moved. */

/** Pixels of the picture to a hundredth, as results have them. */
const rounded = (value) => Math.round(100 * value) / 100;

export class Draft {
  #points = new Map();
  #events = new Map();
  #order = [];

  /** @param clip whose points are shown as they are corrected. */
  constructor(clip) {
    this.clip = clip;
  }

  /** Number of corrections. */
  get size() {
    return this.changes().length;
  }

  /** Place a point of a person in the frame at `index`; it stays inside of the picture. */
  place(person, index, name, x, y) {
    const { width, height } = this.clip.info;
    const inside = (value, size) => rounded(Math.max(0, Math.min(size - 1, value)));
    this.#set(person, index, name, { x: inside(x, width), y: inside(y, height), confidence: 1 });
  }

  hide(person, index, name) {
    this.#set(person, index, name, { x: null, y: null, confidence: 0 });
  }

  /** Take the last correction of a point back; return whether there was one. */
  undo() {
    const last = this.#order.pop();
    if (!last) return false;
    const { key, before } = last;
    const change = this.#points.get(key);
    this.#show(change, before ?? change.origin);
    if (before) change.point = before;
    else this.#points.delete(key);
    return true;
  }

  /** Take everything back. */
  clear() {
    for (const change of this.#points.values()) this.#show(change, change.origin);
    this.#points.clear();
    this.#events.clear();
    this.#order = [];
  }

  /**
   * Contacts and toe-offs of a person in their order, by frame numbers of the file.
   * Each `{ kind, side, origin, to }`: its frame in the result, null where added; its frame now,
   * null where removed.
   */
  events(person) {
    return this.#list(person, "event", (summary) => (summary.gait?.events ?? []).map(
      ({ kind, side, frame }) => ({ kind, side, origin: frame, to: frame }),
    ));
  }

  /** Repetitions of a person: each `{ origin, to }`, of first and last frame, or null. */
  repetitions(person) {
    return this.#list(person, "repetition", (summary) => (summary.reps ?? []).map(
      ({ frames: [start, , stop] }) => ({ origin: [start, stop], to: [start, stop] }),
    ));
  }

  /** Whether events of a kind can be added: the result must have some. */
  canAdd(person, kind) {
    const summary = this.clip.summary(person);
    return Boolean(kind === "event" ? summary?.gait : summary?.reps?.length);
  }

  /** Add an event `{ kind, side, to }`, or a repetition `{ to }`. */
  add(person, kind, event) {
    (kind === "event" ? this.events(person) : this.repetitions(person)).push({ ...event, origin: null });
  }

  /** What the service is sent. */
  changes() {
    const made = [...this.#points.values()].map(({ person, index, name, point }) => ({
      kind: "point", person_id: person, frame: this.clip.numbers[index], keypoint: name,
      ...(point.x === null ? { hidden: true } : { x: point.x, y: point.y }),
    }));
    for (const [key, list] of this.#events) {
      const [person, kind] = key.split("/");
      for (const { origin, to, kind: event, side } of list) {
        if (String(origin) === String(to)) continue;
        const named = { kind, person_id: Number(person) };
        made.push(kind === "event" ? { ...named, event, side, frame: origin, to } : { ...named, frames: origin, to });
      }
    }
    return made;
  }

  #list(person, kind, read) {
    const key = `${person}/${kind}`;
    const summary = this.clip.summary(person);
    if (!this.#events.has(key)) this.#events.set(key, summary ? read(summary) : []);
    return this.#events.get(key);
  }

  #set(person, index, name, point) {
    const key = `${person}/${index}/${name}`;
    const shown = this.clip.person(index, person)?.keypoints;
    if (!shown?.[name]) return;
    const known = this.#points.get(key);
    const change = known ?? { person, index, name, origin: shown[name] };
    this.#order.push({ key, before: known?.point ?? null });
    change.point = { ...change.origin, ...point, by_hand: true };
    this.#points.set(key, change);
    this.#show(change, change.point);
  }

  #show({ person, index, name }, point) {
    this.clip.person(index, person).keypoints[name] = point;
  }
}

/** The point of `keypoints` nearest to a point of the picture within `reach` pixels; null for none. */
export function nearest(keypoints, x, y, reach) {
  let found = null;
  let least = reach;
  for (const [name, point] of Object.entries(keypoints ?? {})) {
    if (point.x === null || point.y === null) continue;
    const away = Math.hypot(point.x - x, point.y - y);
    if (away <= least) [found, least] = [name, away];
  }
  return found;
}
