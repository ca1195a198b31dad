"""Exports cost what the document weighs: our names alone, in proportion, ended with callers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from biomech.config import Subject
from biomech.kinematics.person_metrics import person_metrics
from biomech.results.frame_blocks import _of_planes
from biomech.skeleton import KEYPOINTS
from deployments.concurrency import WorkCancelledError
from deployments.errors import (
    BadParameterError,
    TooLargeError,
)
from serve_app.export import angle_intervals
from serve_app.export import saved_clip as saved_module
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from serve_app.export.tidy import csv
from tests.support.saved_results import edited, saved, squatting


def small(frames):
    """A document of many frames, only the first of which shows anybody."""
    document = json.loads(saved(squatting(1)))
    (first,) = document["data"]["poses_per_frame"]
    empty = {"joint_angles": {}, "movement_analysis": {}, "body_alignment": {}}
    rest = [
        {
            "keypoints": None,
            "biomechanics": empty,
            "frame_info": {"frame_number": i, "timestamp": i / 30},
            "pose": None,
        }
        for i in range(1, frames)
    ]
    document["data"]["poses_per_frame"] = [first, *rest]
    return json.dumps(document).encode()


@pytest.mark.parametrize("part", ["signed", "included", "ci95"])
def test_a_name_that_is_not_ours_is_refused(squat, part):
    def change(document):
        value = [1, 2] if part == "ci95" else 1.0
        document["data"]["poses_per_frame"][0]["biomechanics"]["detail"][part]["mine"] = value

    with pytest.raises(BadParameterError, match="not of this service"):
        read_result(edited(squat, change))


def test_the_names_that_are_read_are_those_that_are_written(squat):
    result = read_result(squat)
    person = result.people[0]
    made = person_metrics(result.track(person), result.config(person), Subject(), None)
    assert set(_of_planes(made)) == saved_module._SIGNED
    assert set(made.hips) == saved_module._INCLUDED
    assert {part for part, _ in saved_module._LEVELS} == set(made.tilts)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_out_of_proportion_to_its_document_is_refused(kind):
    with pytest.raises(TooLargeError, match="rows"):
        export(read_result(small(20_000)), kind, ExportOptions())


def test_people_who_are_seldom_there_cost_no_more_than_their_frames():
    document = json.loads(small(8000))
    frames = document["data"]["poses_per_frame"]
    first = frames[0]
    person = {
        "box": first["pose"]["box"],
        "keypoints": {n: {"x": None, "y": None, "confidence": 0} for n in KEYPOINTS},
        "biomechanics": frames[1]["biomechanics"],
    }
    for i in range(1, len(frames), 50):
        frames[i]["people"] = [{**person, "track_id": 100 + p} for p in range(50)]
    body = json.dumps(document).encode()
    thin = replace(read_result(body), size_bytes=6_000_000)
    with pytest.raises(TooLargeError, match="frames of people"):
        csv(thin, "run")


def test_more_people_than_an_analysis_would_write_into_it_are_refused():
    """(S3) Each costs a fixed time, in however few frames: 1,500 in 1.4 MB took 36 s of CPU."""
    crowd = [squatting(10) + 5.0 * i for i in range(3)]
    body = saved(*crowd)
    assert export(read_result(body), "csv", ExportOptions())
    document = json.loads(body)
    frame = document["data"]["poses_per_frame"][0]
    person = {"keypoints": frame["keypoints"], "box": frame["pose"]["box"]}
    person["biomechanics"] = {"joint_angles": {}, "movement_analysis": {}, "body_alignment": {}}
    for count, refused in ((100, False), (400, True)):
        frame["people"] = [{**person, "track_id": 100 + i} for i in range(count)]
        result = read_result(json.dumps(document).encode())
        if refused:
            with pytest.raises(TooLargeError, match="people"):
                csv(result, "run")
        else:
            csv(result, "run")


def test_deviations_of_a_passer_by_are_those_of_the_whole_clip(monkeypatch):
    other = squatting(600) + 40.0
    other[:200], other[300:420], other[470:] = np.nan, np.nan, np.nan
    result = read_result(saved(squatting(600), other))
    passer = result.people[1]
    part, _ = angle_intervals.around(result, passer)
    assert len(part.frame) < 450
    found = angle_intervals.spreads_of(result, passer)
    monkeypatch.setattr(angle_intervals, "_MARGIN", 600)
    whole = angle_intervals.spreads_of(result, passer)
    assert found.keys() == whole.keys() != set()
    for name, spread in whole.items():
        np.testing.assert_allclose(found[name].sd, spread.sd, atol=1e-3, err_msg=name)


def test_a_table_that_nobody_waits_for_ends(squat):
    asked = iter([False, False, True])
    with pytest.raises(WorkCancelledError):
        list(csv(read_result(squat), "run", lambda: next(asked)))
    assert next(asked, None) is None
