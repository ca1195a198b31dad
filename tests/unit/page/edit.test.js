/** Tests of corrections by hand and of the camera; test_page_modules.py runs them. */
import assert from "node:assert/strict";
import test from "node:test";

import { kindOf, nameOf, obstacle, refusal } from "./camera.js";
import { Clip } from "./clip.js";
import { Draft, nearest } from "./corrections.js";

const point = (x, y, confidence = 0.9) => ({ x, y, confidence, raw_score: confidence, sigma: [1, 1] });
const frame = (number) => ({
  frame_info: { frame_number: number, timestamp: number / 30 },
  pose: { track_id: 3, box: { x1: 0, y1: 0, x2: 50, y2: 50 } },
  keypoints: { nose: point(10, 10), left_knee: point(20, 30), left_ankle: { ...point(0, 0, 0), x: null, y: null } },
  biomechanics: { joint_angles: {} },
});

function clip() {
  const gait = { events: [
    { kind: "contact", side: "left", t_s: 0.4, frame: 12 }, { kind: "toe_off", side: "left", t_s: 0.5, frame: 14 },
  ] };
  const head = { data: {
    biomechanics_summary: [{ person_id: 3, gait, reps: [{ frames: [10, 12, 14] }] }],
    processing_summary: { confidence_threshold: 0.3, video_info: { width: 100, height: 60 } },
  } };
  return new Clip(head, [10, 11, 12, 13, 14].map(frame));
}

test("nothing corrected is no change", () => {
  const draft = new Draft(clip());
  draft.events(3);
  draft.repetitions(3);
  assert.deepEqual(draft.changes(), []);
  assert.equal(draft.size, 0);
});

test("a placed point is shown at once, and named by the frame of the file", () => {
  const shown = clip();
  const draft = new Draft(shown);
  draft.place(3, 1, "left_knee", 25.123, 31);
  assert.deepEqual(draft.changes(), [{ kind: "point", person_id: 3, frame: 11, keypoint: "left_knee", x: 25.12, y: 31 }]);
  const now = shown.person(1, 3).keypoints.left_knee;
  assert.deepEqual([now.x, now.y, now.by_hand, shown.seen(now)], [25.12, 31, true, true]);
  assert.equal(shown.person(0, 3).keypoints.left_knee.x, 20);
});

test("a point stays inside of the picture", () => {
  const draft = new Draft(clip());
  draft.place(3, 0, "nose", -5, 900);
  assert.deepEqual([draft.changes()[0].x, draft.changes()[0].y], [0, 59]);
});

test("a point that is moved twice is one change; undo takes back one move", () => {
  const shown = clip();
  const draft = new Draft(shown);
  draft.place(3, 0, "nose", 11, 10);
  draft.place(3, 0, "nose", 12, 10);
  assert.equal(draft.size, 1);
  assert.equal(draft.undo(), true);
  assert.equal(draft.changes()[0].x, 11);
  assert.equal(draft.undo(), true);
  assert.equal(draft.size, 0);
  assert.equal(draft.undo(), false);
  assert.deepEqual(shown.person(0, 3).keypoints.nose, point(10, 10));
});

test("a point is hidden, and a missing one placed", () => {
  const shown = clip();
  const draft = new Draft(shown);
  draft.hide(3, 0, "nose");
  draft.place(3, 0, "left_ankle", 5, 6);
  assert.deepEqual(draft.changes().map(({ hidden, x }) => [hidden, x]), [[true, undefined], [undefined, 5]]);
  assert.equal(shown.seen(shown.person(0, 3).keypoints.nose), false);
});

test("a point of nobody is no change", () => {
  const draft = new Draft(clip());
  draft.place(9, 0, "nose", 1, 1);
  draft.place(3, 0, "left_toe", 1, 1);
  assert.equal(draft.size, 0);
});

test("events are moved, removed, added and moved back", () => {
  const draft = new Draft(clip());
  const [contact, toeOff] = draft.events(3);
  contact.to = 13;
  toeOff.to = null;
  draft.add(3, "event", { kind: "contact", side: "right", to: 11 });
  const named = { kind: "event", person_id: 3 };
  assert.deepEqual(draft.changes(), [
    { ...named, event: "contact", side: "left", frame: 12, to: 13 },
    { ...named, event: "toe_off", side: "left", frame: 14, to: null },
    { ...named, event: "contact", side: "right", frame: null, to: 11 },
  ]);
  contact.to = 12;
  assert.equal(draft.size, 2);
});

test("bounds of repetitions are moved, and repetitions added", () => {
  const draft = new Draft(clip());
  const [rep] = draft.repetitions(3);
  rep.to = [11, 14];
  draft.add(3, "repetition", { to: [10, 12] });
  assert.deepEqual(draft.changes(), [
    { kind: "repetition", person_id: 3, frames: [10, 14], to: [11, 14] },
    { kind: "repetition", person_id: 3, frames: null, to: [10, 12] },
  ]);
});

test("events are added only where the result has some", () => {
  const draft = new Draft(clip());
  assert.equal(draft.canAdd(3, "event"), true);
  assert.equal(draft.canAdd(3, "repetition"), true);
  assert.equal(draft.canAdd(9, "event"), false);
});

test("clearing takes everything back", () => {
  const shown = clip();
  const draft = new Draft(shown);
  draft.place(3, 0, "nose", 12, 10);
  draft.place(3, 0, "nose", 14, 10);
  draft.events(3)[0].to = null;
  draft.clear();
  assert.equal(draft.size, 0);
  assert.deepEqual(shown.person(0, 3).keypoints.nose, point(10, 10));
  assert.equal(draft.undo(), false);
});

test("the nearest point is grabbed within reach", () => {
  const { keypoints } = frame(1);
  assert.equal(nearest(keypoints, 12, 11, 5), "nose");
  assert.equal(nearest(keypoints, 60, 50, 5), null);
  assert.equal(nearest(undefined, 1, 1, 5), null);
});

test("a window without a camera says why", () => {
  const able = { isSecureContext: true, navigator: { mediaDevices: { getUserMedia() {} } }, MediaRecorder: class {} };
  assert.equal(obstacle(able), null);
  assert.equal(obstacle({ ...able, isSecureContext: false }), "film.insecure");
  assert.equal(obstacle({ ...able, navigator: {} }), "film.unable");
  assert.equal(obstacle({ ...able, MediaRecorder: undefined }), "film.unable");
});

test("a recording is named by its kind and time", () => {
  const at = new Date(Date.UTC(2026, 4, 3, 10, 20, 30));
  assert.equal(kindOf((kind) => kind.startsWith("video/mp4")), "video/mp4");
  assert.equal(kindOf(() => false), "");
  assert.equal(nameOf("video/mp4", at), "camera-2026-05-03-10-20-30.mp4");
  assert.equal(nameOf("video/webm;codecs=vp9", at), "camera-2026-05-03-10-20-30.webm");
});

test("a camera that does not open has its reason", () => {
  assert.equal(refusal({ name: "NotAllowedError" }), "film.denied");
  assert.equal(refusal({ name: "NotFoundError" }), "film.none");
  assert.equal(refusal({ name: "NotReadableError" }), "film.failed");
});
