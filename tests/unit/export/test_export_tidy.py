"""The tidy table by independent readers: every number of the response, once."""

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from biomech.config import DEFINITIONS, NO_CONTEXT, Camera, Context
from biomech.joints import JOINT_ANGLES
from biomech.results.person_summary import LIMITS
from biomech.skeleton import KEYPOINTS
from serve_app.export import tidy
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from tests.support.saved_results import edited, saved, squatting
from tests.support.stick_figure import FIGURE

NUMBERS = ("t_s", "value", "sd", "ci_lo", "ci_hi")


def table_of(body, run_id="r"):
    """Rows by person, frame, variable and side, of the CSV."""
    rows = list(csv.DictReader(io.StringIO(b"".join(tidy.csv(read_result(body), run_id)).decode())))
    for row in rows:
        for name in NUMBERS:
            row[name] = float(row[name]) if row[name] else None
    found = {
        (int(row["person_id"]), int(row["frame"]), row["variable"], row["side"]): row
        for row in rows
    }
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def table(squat):
    return table_of(squat)


def test_every_point_and_angle_of_the_response_is_there_as_it_stands(squat, table):
    for frame in json.loads(squat)["data"]["poses_per_frame"]:
        f, time = frame["frame_info"]["frame_number"], frame["frame_info"]["timestamp"]
        for name, point in frame["keypoints"].items():
            side, part = name.split("_") if "_" in name else ("", name)
            x, confidence = table[1, f, f"{part}_x", side], table[1, f, f"{part}_confidence", side]
            assert (x["value"], confidence["value"]) == (point["x"], point["confidence"])
            assert (x["t_s"], x["unit"], x["stage"]) == (time, "px", "raw")
        body = frame["biomechanics"]
        for name in JOINT_ANGLES:
            row = table[1, f, *reversed(name.split("_"))]
            assert row["value"] == body["joint_angles"][name]
            assert (row["unit"], row["stage"]) == ("deg", "smoothed")
        for name, value in body["movement_analysis"].items():
            assert table[1, f, name, ""]["value"] == value
        for name, value in body["detail"]["signed"].items():
            side, part = name.split("_", 1) if name.count("_") > 1 else ("", name)
            assert table[1, f, part, side]["value"] == value


def test_what_is_missing_is_empty_and_says_why(table):
    wrist, elbow = table[1, 10, "wrist_x", "left"], table[1, 10, "elbow", "left"]
    assert (wrist["value"], wrist["sd"], wrist["null_reason"]) == (None, None, "no_point")
    assert (elbow["value"], elbow["ci_lo"]) == (None, None)
    assert elbow["null_reason"] == "low_confidence"
    assert table[1, 10, "elbow", "right"]["null_reason"] == ""
    assert table[1, 10, "hip_level_difference", ""]["null_reason"] == "view_mismatch"


def test_deviations_of_points_are_the_models_and_of_angles_those_of_their_intervals(squat, table):
    assert table[1, 0, "knee_x", "left"]["sd"] == 2.0
    found = json.loads(squat)["data"]["poses_per_frame"][20]["biomechanics"]["detail"]["ci95"]
    knee, flexion = table[1, 20, "knee", "left"], table[1, 20, "knee_flexion", "left"]
    assert [knee["ci_lo"], knee["ci_hi"]] == found["left_knee"]
    assert knee["sd"] == pytest.approx((knee["ci_hi"] - knee["ci_lo"]) / 3.92, rel=0.01)
    assert flexion["sd"] == knee["sd"]
    assert flexion["ci_hi"] == pytest.approx(180 - knee["ci_lo"], abs=0.05)
    for name, side in (("hip_flexion", "right"), ("hip", "right"), ("trunk_lean", "")):
        row = table[1, 20, name, side]
        assert row["ci_lo"] + 1.96 * row["sd"] == pytest.approx(row["value"], abs=0.05)


def test_a_deviation_is_whole_where_the_interval_is_cut_off_at_the_end_of_the_range():
    table = table_of(saved(np.tile(FIGURE, (20, 1, 1)), sigma=6.0))
    knee, flat = table[1, 5, "knee", "left"], table[1, 5, "shoulder_level_difference", ""]
    assert (knee["ci_hi"], flat["ci_lo"]) == (180.0, 0.0)
    for row, side in ((knee, "ci_lo"), (flat, "ci_hi")):
        assert abs(row["value"] - row[side]) == pytest.approx(1.96 * row["sd"], rel=0.01)
    tilt = table[1, 5, "shoulder_tilt", ""]
    assert tilt["ci_lo"] == pytest.approx(-tilt["ci_hi"], abs=0.05)


def test_a_camera_whose_roll_is_known_makes_leans_surer():
    known = Context(camera=Camera(roll_deg=0.0))
    assumed, told = (table_of(saved(squatting(20), context=c)) for c in (NO_CONTEXT, known))
    a, b = (t[1, 5, "trunk_lean", ""]["sd"] for t in (assumed, told))
    assert a**2 - b**2 == pytest.approx(4.0, abs=0.01)


def test_results_of_other_definitions_have_the_intervals_that_they_came_with(squat):
    other = edited(squat, lambda d: d["data"]["biomechanics_summary"][0].update(definitions="bm-0"))
    table = table_of(other)
    assert (table[1, 20, "knee", "left"]["sd"], table[1, 20, "trunk_lean", ""]["ci_lo"]) == (
        None,
        None,
    )
    assert table[1, 20, "knee", "left"]["ci_lo"] is not None


def test_the_primary_person_has_rows_in_all_frames_and_others_where_they_are():
    first, second = squatting(20), squatting(20) + 30.0
    first[12:] = second[:5] = np.nan
    table = table_of(saved(first, second))
    absent = table[1, 15, "knee", "left"]
    assert (absent["value"], absent["null_reason"]) == (None, "primary_not_visible")
    assert table[2, 15, "knee_x", "left"]["value"] is not None
    assert {f for p, f, *_ in table if p == 1} == set(range(20))
    assert {f for p, f, *_ in table if p == 2} == set(range(5, 20))


def test_parquet_holds_the_same_rows_typed_with_the_limits_in_its_schema(squat):
    made = export(read_result(squat), "parquet", ExportOptions())
    read = pq.read_table(io.BytesIO(b"".join(made.pieces)))
    assert read.column_names == list(tidy.COLUMNS)
    assert {str(read.schema.field(name).type) for name in NUMBERS} == {"double"}
    assert set(read.column("run_id").to_pylist()) == {"run-7"}
    rows = list(
        csv.DictReader(io.StringIO(b"".join(tidy.csv(read_result(squat), "run-7")).decode()))
    )
    for name in ("variable", "side", "null_reason", "unit"):
        assert [v or "" for v in read.column(name).to_pylist()] == [row[name] for row in rows]
    for name in ("value", "sd", "ci_lo"):
        cells = [None if row[name] == "" else float(row[name]) for row in rows]
        assert read.column(name).to_pylist() == cells
    assert json.loads(read.schema.metadata[b"limits"]) == list(LIMITS)
    assert read.schema.metadata[b"definitions"] == DEFINITIONS.encode()


def test_a_long_clip_is_written_in_parts_and_nobody_in_a_header_alone(squat, monkeypatch):
    result = read_result(squat)
    whole = (
        b"".join(tidy.csv(result, "r")),
        pq.read_table(io.BytesIO(b"".join(tidy.parquet(result, "r")))),
    )
    monkeypatch.setattr(tidy, "_ROWS", 200)
    assert b"".join(tidy.csv(result, "r")) == whole[0]
    parts = pq.ParquetFile(io.BytesIO(b"".join(tidy.parquet(result, "r"))))
    assert parts.num_row_groups > 10
    assert parts.read().equals(whole[1])
    nobody = read_result(saved(np.full((3, 17, 2), np.nan)))
    assert b"".join(tidy.csv(nobody, "r")).decode().split() == [
        ",".join(f'"{c}"' for c in tidy.COLUMNS)
    ]


def test_variables_are_the_same_in_every_frame(table):
    kinds = {}
    for _, frame, variable, side in table:
        kinds.setdefault(frame, set()).add((variable, side))
    assert len(kinds) == 90
    assert len({frozenset(names) for names in kinds.values()}) == 1
    assert len(kinds[0]) > 3 * len(KEYPOINTS) + 20
