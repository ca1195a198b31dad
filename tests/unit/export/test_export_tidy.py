"""The tidy table by independent readers: every number of the response, once."""

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from biomech.skeleton import JOINT_ANGLES, KEYPOINTS
from biomech.summary import LIMITS
from serve_app.export import tidy
from serve_app.export.files import ExportOptions, export
from serve_app.export.saved import read_result
from tests.saved_results import saved, squatting
from tests.stick_figure import FIGURE

NUMBERS = ("t_s", "value", "sd", "ci_lo", "ci_hi")


def table_of(body, run_id="r"):
    """Rows by person, frame, variable and side, of the CSV."""
    rows = list(csv.DictReader(io.StringIO(tidy.csv(read_result(body), run_id).decode())))
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
    middle = table[1, 20, "knee", "left"]
    low, high = json.loads(squat)["data"]["poses_per_frame"][20]["biomechanics"]["detail"]["ci95"][
        "left_knee"
    ]
    assert (middle["ci_lo"], middle["ci_hi"]) == (low, high)
    assert middle["sd"] == pytest.approx((high - low) / 3.92, abs=1e-3)
    flexion = table[1, 20, "knee_flexion", "left"]
    assert flexion["sd"] == middle["sd"]
    assert flexion["ci_hi"] == pytest.approx(180 - low, abs=2e-3)


def test_an_interval_cut_off_at_the_end_of_the_range_gives_no_deviation():
    row = table_of(saved(np.tile(FIGURE, (20, 1, 1)), sigma=6.0))[1, 5, "knee", "left"]
    assert row["ci_hi"] == 180.0
    assert row["ci_lo"] < row["value"]
    assert row["sd"] is None


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
    read = pq.read_table(io.BytesIO(made.body))
    assert read.column_names == list(tidy.COLUMNS)
    assert {str(read.schema.field(name).type) for name in NUMBERS} == {"double"}
    assert set(read.column("run_id").to_pylist()) == {"run-7"}
    rows = list(csv.DictReader(io.StringIO(tidy.csv(read_result(squat), "run-7").decode())))
    for name in ("variable", "side", "null_reason", "unit"):
        assert [v or "" for v in read.column(name).to_pylist()] == [row[name] for row in rows]
    for name in ("value", "sd", "ci_lo"):
        cells = [None if row[name] == "" else float(row[name]) for row in rows]
        assert read.column(name).to_pylist() == cells
    assert json.loads(read.schema.metadata[b"limits"]) == list(LIMITS)
    assert read.schema.metadata[b"definitions"] == b"bm-1"


def test_a_long_clip_is_written_in_parts_and_nobody_in_a_header_alone(squat, monkeypatch):
    result = read_result(squat)
    whole = (tidy.csv(result, "r"), pq.read_table(io.BytesIO(tidy.parquet(result, "r"))))
    monkeypatch.setattr(tidy, "_ROWS", 200)
    assert tidy.csv(result, "r") == whole[0]
    parts = pq.ParquetFile(io.BytesIO(tidy.parquet(result, "r")))
    assert parts.num_row_groups > 10
    assert parts.read().equals(whole[1])
    nobody = read_result(saved(np.full((3, 17, 2), np.nan)))
    assert tidy.csv(nobody, "r").decode().split() == [",".join(f'"{c}"' for c in tidy.COLUMNS)]


def test_variables_are_the_same_in_every_frame(table):
    kinds = {}
    for _, frame, variable, side in table:
        kinds.setdefault(frame, set()).add((variable, side))
    assert len(kinds) == 90
    assert len({frozenset(names) for names in kinds.values()}) == 1
    assert len(kinds[0]) > 3 * len(KEYPOINTS) + 20
