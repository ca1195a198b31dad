/** The result of a job as the page needs it. */

export const FRAME_FIELDS = [
  "frame_info.frame_number",
  "frame_info.timestamp",
  "data.poses_per_frame.keypoints",
  "data.poses_per_frame.pose",
  "data.poses_per_frame.biomechanics.joint_angles",
  "data.poses_per_frame.biomechanics.detail.ci95",
  "people.track_id",
  "people.box",
  "people.keypoints",
  "people.biomechanics.joint_angles",
  "people.biomechanics.detail.ci95",
].join(",");

export const HEAD_FIELDS = "corrections,data.biomechanics_summary,data.processing_summary,warnings";

export const BONES = [
  ["left_shoulder", "right_shoulder"], ["left_hip", "right_hip"],
  ...["left", "right"].flatMap((side) => [
    [`${side}_shoulder`, `${side}_elbow`], [`${side}_elbow`, `${side}_wrist`],
    [`${side}_shoulder`, `${side}_hip`], [`${side}_hip`, `${side}_knee`],
    [`${side}_knee`, `${side}_ankle`],
  ]),
  ["nose", "left_eye"], ["nose", "right_eye"], ["left_eye", "left_ear"], ["right_eye", "right_ear"],
];

export class Clip {
  /** @param head of {@link HEAD_FIELDS}. @param frames of {@link FRAME_FIELDS}, all of them. */
  constructor(head, frames) {
    this.corrections = head.corrections ?? null;
    this.summaries = head.data.biomechanics_summary ?? [];
    this.processing = head.data.processing_summary;
    this.info = this.processing.video_info;
    this.times = frames.map((frame) => frame.frame_info.timestamp);
    this.numbers = frames.map((frame) => frame.frame_info.frame_number);
    this.threshold = this.processing.confidence_threshold;
    this.frames = frames.map(peopleOf);
    const seen = new Set(this.frames.flatMap((people) => [...people.keys()]));
    const listed = this.summaries.map((summary) => summary.person_id);
    this.people = [...listed.filter((id) => seen.has(id)), ...[...seen].filter((id) => !listed.includes(id))];
  }

  summary(id) {
    return this.summaries.find((summary) => summary.person_id === id) ?? null;
  }

  /** A person in a frame: keypoints, box, angles and their intervals; undefined where not seen. */
  person(index, id) {
    return this.frames[index]?.get(id);
  }

  /** Values of an angle and ends of its interval, null where unknown. */
  series(id, angle) {
    const people = this.frames.map((frame) => frame.get(id));
    return {
      values: people.map((person) => person?.angles?.[angle] ?? null),
      intervals: people.map((person) => person?.intervals?.[angle] ?? null),
    };
  }

  /** Contacts where the person walks, else peaks of repetitions; and flights. */
  marks(id) {
    const summary = this.summary(id);
    if (!summary) return [];
    const contacts = (summary.gait?.events ?? []).filter((event) => event.kind === "contact");
    const reps = contacts.length ? [] : summary.reps ?? [];
    return [
      ...contacts.map((event) => ({ kind: "contact", side: event.side, from: event.t_s, to: event.t_s })),
      ...reps.map((rep) => ({ kind: "peak", side: null, from: rep.t_peak_s, to: rep.t_peak_s })),
      ...(summary.jumps ?? []).map((jump) => ({
        kind: "flight", side: null, from: jump.t_takeoff_s, to: jump.t_landing_s,
      })),
    ];
  }

  /** Whether a point is drawn: seen with enough confidence. */
  seen(point) {
    return Boolean(point) && point.x !== null && point.y !== null && point.confidence >= this.threshold;
  }

  /** The person whose box holds a point of the picture, the smallest box first; null for nobody. */
  personAt(index, x, y) {
    const area = (box) => (box.x2 - box.x1) * (box.y2 - box.y1);
    const found = [...(this.frames[index] ?? [])]
      .filter(([, { box }]) => box && x >= box.x1 && x <= box.x2 && y >= box.y1 && y <= box.y2)
      .sort(([, a], [, b]) => area(a.box) - area(b.box));
    return found.length ? found[0][0] : null;
  }
}

function peopleOf(frame) {
  const people = new Map();
  if (frame.pose) people.set(frame.pose.track_id, personOf(frame, frame.pose.box));
  for (const person of frame.people ?? []) people.set(person.track_id, personOf(person, person.box));
  return people;
}

function personOf(of, box) {
  return {
    keypoints: of.keypoints,
    box,
    angles: of.biomechanics?.joint_angles,
    intervals: of.biomechanics?.detail?.ci95,
  };
}
