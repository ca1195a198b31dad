/** Tests of two results side by side; test_page_modules.py runs them. */
import assert from "node:assert/strict";
import test from "node:test";

import { commonEvents, differences, firstEvents, frameInStep, mismatches } from "./compare.js";

const clipOf = (summary, times = []) => ({ summary: () => summary, times });
const joint = (rom, rom_ci95 = null) => ({ rom, rom_ci95 });
const knee = (given) => ({ joints: { left_knee: given } });
const left = (rows) => rows.find((row) => row.joint === "knee" && row.side === "left");

test("the first event of each kind is found, in any order", () => {
  const events = [
    { kind: "contact", side: "left", t_s: 2 }, { kind: "contact", side: "left", t_s: 1 }, { kind: "toe_off", side: "right", t_s: 1.5 },
  ];
  assert.deepEqual(firstEvents(clipOf({ gait: { events } }), 1), { "contact.left": 1, "toe_off.right": 1.5 });
});

test("repetitions and jumps have events too", () => {
  const summary = { reps: [{ t_peak_s: 0 }, { t_peak_s: 3 }], jumps: [{ t_takeoff_s: 4, t_landing_s: 4.5 }] };
  assert.deepEqual(firstEvents(clipOf(summary), 1), { peak: 0, takeoff: 4, landing: 4.5 });
});

test("who has no summary has no events", () => {
  assert.deepEqual(firstEvents(clipOf(null), 1), {});
});

test("only events of both are offered", () => {
  assert.deepEqual(commonEvents({ peak: 1, takeoff: 2 }, { takeoff: 9, landing: 8 }), ["takeoff"]);
});

test("a frame is as long after its event in both", () => {
  const [first, second] = [[0, 0.1, 0.2, 0.3, 0.4], [5, 5.05, 5.1, 5.15, 5.2]];
  assert.equal(frameInStep(clipOf(null, first), 3, 0.2, clipOf(null, second), 5.05), 3);
});

test("before and after the second clip its first and last frames are shown", () => {
  const [first, second] = [[0, 1, 2], [0, 0.5]];
  assert.equal(frameInStep(clipOf(null, first), 2, 0, clipOf(null, second), 0), 1);
  assert.equal(frameInStep(clipOf(null, first), 0, 2, clipOf(null, second), 0), 0);
});

test("intervals that do not touch are apart, in both orders", () => {
  for (const [a, b, difference] of [[joint(50, [45, 55]), joint(70, [60, 80]), 20], [joint(70, [60, 80]), joint(50, [45, 55]), -20]]) {
    const row = left(differences(knee(a), knee(b)));
    assert.deepEqual([row.difference, row.apart], [difference, true]);
  }
});

test("intervals that overlap are not apart", () => {
  assert.equal(left(differences(knee(joint(50, [40, 61])), knee(joint(70, [60, 80])))).apart, false);
});

test("without an interval nothing is said of it", () => {
  for (const ends of [null, [null, 80]]) {
    const row = left(differences(knee(joint(50, [40, 61])), knee(joint(70, ends))));
    assert.deepEqual([row.difference, row.apart], [20, null]);
  }
});

test("without a number there is no difference", () => {
  for (const given of [undefined, joint(null, [1, 2])]) {
    assert.equal(left(differences(knee(joint(50, [40, 61])), knee(given))).difference, null);
  }
  assert.equal(differences(null, null).length, 8);
});

const RESULT = { definitions: "bm-2", view: "sagittal", movement: "gait", model: "m", filter: { cutoff_hz: 6 }, near_side: "left" };

test("results of one kind are comparable, with an unknown nearer side too", () => {
  assert.deepEqual(mismatches(RESULT, { ...RESULT }), []);
  assert.deepEqual(mismatches(RESULT, { ...RESULT, near_side: null }), []);
});

for (const [name, changed] of Object.entries({
  definitions: { definitions: "bm-1" }, view: { view: "frontal" }, movement: { movement: "squat" }, model: { model: "n" },
  filter: { filter: { cutoff_hz: 10 } }, near_side: { near_side: "right" },
})) {
  test(`results of another ${name} are not comparable`, () => {
    assert.deepEqual(mismatches(RESULT, { ...RESULT, ...changed }), [name]);
    assert.deepEqual(mismatches({ ...RESULT, ...changed }, RESULT), [name]);
  });
}
