/** Tests of the page's modules that need no browser; test_page_modules.py runs them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import { Clip } from "./clip.js";
import { EventParser } from "./events.js";
import { fit, toBox, toPicture } from "./letterbox.js";
import { choose, LANGUAGES, number, reason, text } from "./text.js";
import { frameAt, nearestFrame, seekTime } from "./timing.js";

const REGULAR = Array.from({ length: 300 }, (_, nth) => Number((nth / 29.97).toFixed(6)));
const VARIABLE = [0, 0.033, 0.05, 0.1, 0.5, 0.511, 2];

for (const [name, times] of Object.entries({ REGULAR, VARIABLE, one: [0.2] })) {
  test(`a seek to a frame shows that frame: ${name}`, () => {
    times.forEach((time, index) => {
      assert.equal(frameAt(times, seekTime(times, index)), index);
      assert.equal(frameAt(times, time), index);
      assert.equal(nearestFrame(times, time + 0.0004), index);
      assert.equal(nearestFrame(times, time - 0.0004), index);
    });
  });
}

test("times before and after the clip are its first and last frames", () => {
  for (const at of [frameAt, nearestFrame]) {
    assert.equal(at(VARIABLE, -1), 0);
    assert.equal(at(VARIABLE, 99), VARIABLE.length - 1);
  }
  assert.equal(nearestFrame(VARIABLE, 0.4), 4);
  assert.equal(frameAt(VARIABLE, 0.4), 3);
});

test("a picture is fitted into its box, centered", () => {
  assert.deepEqual(toBox(fit(1920, 1080, 960, 960), 0, 0), [0, 210]);
  assert.deepEqual(toBox(fit(1920, 1080, 960, 960), 1920, 1080), [960, 750]);
  assert.deepEqual(toBox(fit(1080, 1920, 960, 960), 0, 0), [210, 0]);
  const place = fit(640, 360, 391, 844);
  const [x, y] = toPicture(place, ...toBox(place, 123, 45));
  assert.ok(Math.abs(x - 123) < 1e-9 && Math.abs(y - 45) < 1e-9);
});

const STREAM = ": ping\r\n\r\nevent: progress\r\nid: 7\r\ndata: {\"a\":1}\r\n\r\ndata:x\ndata: y\n\nid: 9\n\nevent: cut";

test("events are the same wherever the stream is cut", () => {
  const expected = [
    { kind: "progress", id: "7", data: "{\"a\":1}" }, { kind: "message", id: "7", data: "x\ny" },
  ];
  assert.deepEqual(new EventParser().push(STREAM), expected);
  for (let at = 0; at <= STREAM.length; at += 1) {
    const parser = new EventParser();
    assert.deepEqual([...parser.push(STREAM.slice(0, at)), ...parser.push(STREAM.slice(at))], expected);
  }
});

test("every language has the same texts with the same gaps", () => {
  const gaps = (words) => [...words.matchAll(/\{\w+\}/g)].map(([gap]) => gap).sort();
  const of = ({ strings }) => Object.fromEntries(Object.entries(strings).map(([key, words]) => [key, gaps(words)]));
  assert.ok(Object.keys(LANGUAGES).length > 1);
  for (const language of Object.values(LANGUAGES)) {
    assert.deepEqual(Object.keys(language.strings), Object.keys(LANGUAGES.en.strings));
    assert.deepEqual(of(language), of(LANGUAGES.en));
  }
});

test("every text that the page names is there", () => {
  const known = Object.keys(LANGUAGES.en.strings);
  const named = readdirSync(".").filter((file) => /^[a-z]+\.(js|html)$/.test(file)).flatMap((file) => {
    const source = readFileSync(file, "utf8");
    const found = source.matchAll(/(?:\btext\(|\bcard\(|\babout\(|data-text=|data-label=)"([^"]+)"/g);
    return [...found].map(([, key]) => key);
  });
  assert.ok(named.length > 80);
  assert.deepEqual(named.filter((key) => !known.includes(key)), []);
});

test("the first wanted language that there is wins, else English", () => {
  assert.equal(choose(["fr-FR", "de-AT", "en"]), "de");
  assert.equal(number(1234.5, 1), "1.234,5");
  assert.equal(reason("view_mismatch"), "aus dieser Ansicht nicht messbar");
  assert.equal(choose(["fr", "xx"]), "en");
  assert.equal(text("working.queued", { position: 3 }), "Waiting for its turn, place 3");
  assert.equal(number(null), "–");
  assert.equal(reason("made_up_reason"), "made up reason");
});

const box = (x1, x2) => ({ x1, y1: 0, x2, y2: 10 });
const person = (track_id, bounds, left_knee) => ({
  track_id, box: bounds, keypoints: {}, biomechanics: { joint_angles: { left_knee }, detail: { ci95: { left_knee: [1, 2] } } },
});
const frame = (number, primary, people) => ({
  ...(primary ?? { keypoints: null, biomechanics: {} }), pose: primary && { track_id: primary.track_id, box: primary.box },
  frame_info: { frame_number: number, timestamp: number / 10 }, people,
});
const HEAD = {
  data: {
    processing_summary: { confidence_threshold: 0.3, video_info: { width: 20, height: 10 } },
    biomechanics_summary: [
      { person_id: 4, gait: null, reps: [{ t_peak_s: 0.1 }], jumps: [{ t_takeoff_s: 0, t_landing_s: 0.2 }] },
      { person_id: 2, gait: { events: [{ kind: "contact", side: "left", t_s: 0 }, { kind: "toe_off", side: "left", t_s: 1 }] }, reps: [{ t_peak_s: 1 }], jumps: [] },
    ],
  },
};

test("a clip has the curves and events of each person, the primary first", () => {
  const clip = new Clip(HEAD, [
    frame(5, null, [person(2, box(0, 20), 90)]),
    frame(6, person(4, box(8, 12), 150), [person(2, box(0, 20), null)]),
  ]);
  assert.deepEqual(clip.people, [4, 2]);
  assert.deepEqual(clip.times, [0.5, 0.6]);
  assert.deepEqual(clip.series(4, "left_knee").values, [null, 150]);
  assert.deepEqual(clip.series(2, "left_knee").values, [90, null]);
  assert.deepEqual(clip.series(4, "left_knee").intervals, [null, [1, 2]]);
  assert.deepEqual(clip.marks(4).map(({ kind }) => kind), ["peak", "flight"]);
  assert.deepEqual(clip.marks(2).map(({ kind, side }) => [kind, side]), [["contact", "left"]]);
  assert.equal(clip.personAt(1, 10, 5), 4);
  assert.equal(clip.personAt(1, 1, 5), 2);
  assert.equal(clip.personAt(0, 10, 50), null);
  assert.ok(clip.seen({ x: 1, y: 1, confidence: 0.3 }));
  assert.ok(!clip.seen({ x: null, y: null, confidence: 0.9 }) && !clip.seen({ x: 1, y: 1, confidence: 0.2 }));
});
