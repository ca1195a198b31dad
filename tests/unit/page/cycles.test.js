/** Tests of cycles over their per cent, and of the places of marks; test_page_modules.py runs them. */
import assert from "node:assert/strict";
import test from "node:test";

import { countCycles, cyclesOf, meanBand, normalized, PERCENT, percentAt } from "./cycles.js";
import { placeOf, scaleOf } from "./strips.js";

const contact = (side, t_s) => ({ kind: "contact", side, t_s, frame: Math.round(10 * t_s) });
const BOUTS = [{ t_start_s: 1, t_end_s: 3.5 }];
const FRAMES = Array.from({ length: 200 }, (_, at) => at);
const WALK = [contact("right", 1), contact("left", 1.6), contact("right", 2.2), contact("left", 2.7)];
const clipOf = (summary, numbers = []) => ({ summary: () => summary, numbers, times: numbers.map((n) => n / 10) });

test("strides go from a contact to the next one of the same foot", () => {
  const clip = clipOf({ gait: { bouts: BOUTS, events: [...WALK, { kind: "toe_off", side: "left", t_s: 1.2 }] } }, FRAMES);
  assert.deepEqual(cyclesOf(clip, 1, "right"), [{ from: 1, to: 2.2 }]);
  assert.deepEqual(cyclesOf(clip, 1, "left"), [{ from: 1.6, to: 2.7 }]);
});

test("a step that was not seen makes no stride", () => {
  const events = [contact("right", 1), contact("right", 2.2), contact("left", 2.7), contact("right", 3.3)];
  assert.deepEqual(cyclesOf(clipOf({ gait: { bouts: BOUTS, events } }, FRAMES), 1, "right"), [{ from: 2.2, to: 3.3 }]);
});

test("no stride goes from one bout to the next", () => {
  const bouts = [{ t_start_s: 1, t_end_s: 2 }, { t_start_s: 12, t_end_s: 13.2 }];
  const events = [["right", 1], ["left", 1.5], ["right", 2], ["left", 12], ["right", 12.5], ["left", 13.2]].map(([side, t_s]) => contact(side, t_s));
  const clip = clipOf({ gait: { bouts, events } }, FRAMES);
  assert.deepEqual(cyclesOf(clip, 1, "right"), [{ from: 1, to: 2 }]);
  assert.deepEqual(cyclesOf(clip, 1, "left"), [{ from: 12, to: 13.2 }]);
});

test("contacts may come in any order", () => {
  const clip = clipOf({ gait: { bouts: BOUTS, events: [...WALK].reverse() } }, FRAMES);
  assert.deepEqual(cyclesOf(clip, 1, "right"), [{ from: 1, to: 2.2 }]);
});

test("repetitions go from valley to valley, by numbers of the file", () => {
  const clip = clipOf({ gait: null, reps: [{ frames: [52, 55, 58] }, { frames: [58, 60, 99] }] }, [50, 52, 54, 56, 58, 60]);
  for (const side of ["left", "right"]) assert.deepEqual(cyclesOf(clip, 1, side), [{ from: 5.2, to: 5.8 }]);
});

test("who has no summary has no cycles", () => {
  assert.deepEqual(cyclesOf(clipOf(null), 1, "left"), []);
});

test("a line stays a line, at uneven times too", () => {
  const times = [0, 0.1, 0.15, 0.4, 0.7, 0.75, 1];
  const found = normalized(times, times.map((time) => 20 + 50 * time), { from: 0.2, to: 0.9 });
  PERCENT.forEach((percent, at) => assert.ok(Math.abs(found[at] - (30 + 0.35 * percent)) < 1e-9));
});

test("a cycle with a gap of a tenth is kept with its gap, a longer one is not", () => {
  const times = Array.from({ length: 101 }, (_, at) => at / 100);
  const with_gap = (from, to) => times.map((time, at) => (at >= from && at < to ? null : time));
  const kept = normalized(times, with_gap(40, 48), { from: 0, to: 1 });
  assert.equal(kept[44], null);
  assert.ok(Math.abs(kept[60] - 0.6) < 1e-9);
  assert.equal(normalized(times, with_gap(40, 60), { from: 0, to: 1 }), null);
});

test("the mean and the deviation are those of what is known", () => {
  const curve = (value) => PERCENT.map((at) => (at === 50 ? null : value));
  const { mean, band } = meanBand([curve(1), curve(3), PERCENT.map(() => 5)]);
  assert.equal(mean[0], 3);
  assert.deepEqual(band[0], [1, 5]);
  assert.deepEqual([mean[50], band[50]], [5, null]);
});

test("no curves have no mean", () => {
  const { mean, band } = meanBand([]);
  assert.ok(mean.every((value) => value === null) && band.every((ends) => ends === null));
});

test("a time has its per cent in the cycle that holds it", () => {
  const cycles = [{ from: 1, to: 2 }, { from: 2, to: 4 }];
  assert.deepEqual([0.5, 1, 1.25, 2, 3, 4].map((time) => percentAt(cycles, time)), [null, 0, 25, 0, 50, null]);
});

test("marks of both sides are on one scale", () => {
  const scale = scaleOf([[10, 30], [20]]);
  assert.deepEqual(scale, [9, 31]);
  assert.ok(placeOf(10, scale) < placeOf(20, scale) && placeOf(20, scale) < placeOf(30, scale));
  assert.deepEqual(scaleOf([[7]]), [6.5, 7.5]);
  assert.equal(scaleOf([[], [null]]), null);
});

test("a repetition that is unknown for both sides and several joints is one cycle", () => {
  const [one, two] = [{ from: 0, to: 1 }, { from: 1, to: 2 }];
  assert.equal(countCycles([[one], [{ ...one }, two], []]), 2);
  assert.equal(countCycles([[], []]), 0);
});
