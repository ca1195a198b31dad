"""C3D by ezc3d and COCO results by pycocotools."""

import contextlib
import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from biomech.files.markers import MARKERS
from biomech.skeleton import KEYPOINTS
from deployments.errors import BadParameterError
from serve_app.export.c3d import c3d
from serve_app.export.formats import ExportOptions, export
from serve_app.export.points import markers_of
from serve_app.export.saved_clip import read_result
from tests.support.saved_results import RATE, saved, squatting


@pytest.fixture(scope="module")
def markers(squat):
    result = read_result(squat)
    return markers_of(result, result.person())


def test_c3d_has_the_points_in_millimetres_with_residuals(markers, tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    path = tmp_path / "points.c3d"
    path.write_bytes(c3d(markers))
    file = ezc3d.c3d(str(path))
    point = file["parameters"]["POINT"]
    assert point["LABELS"]["value"] == list(MARKERS)
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"] == [RATE]
    assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Y"])
    wanted = 1000 * markers.xy
    missing = np.isnan(wanted[..., 0])
    assert missing[:, MARKERS.index("LWrist")].all()
    points = file["data"]["points"].transpose(2, 1, 0)
    residual = file["data"]["meta_points"]["residuals"][0].T
    assert (residual == np.where(missing, -1, 0)).all()
    assert points[..., :2][~missing] == pytest.approx(wanted[~missing], abs=1e-3)
    assert (points[..., 2][~missing] == 0).all()


def test_c3d_needs_a_height(squat_of_unknown_height):
    result = read_result(squat_of_unknown_height)
    with pytest.raises(BadParameterError, match="scale of this result is not known"):
        export(result, "c3d", ExportOptions())
    assert export(result, "c3d", ExportOptions(height_m=1.7)).suffix == ".person1.c3d"


def test_c3d_refuses_more_frames_than_it_can_count(markers):
    many = replace(markers, xy=np.zeros((65_536, len(MARKERS), 2)))
    with pytest.raises(BadParameterError, match="65535 frames, and these are 65536"):
        c3d(many)


def test_c3d_without_ezc3d_is_refused(markers, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(BadParameterError, match="ezc3d, which is not installed") as refused:
        c3d(markers)
    assert "trc" in refused.value.hint


@pytest.fixture(scope="module")
def two_people():
    first, second = squatting(12), squatting(12) + np.array([150.0, 4.0])
    second[:4] = np.nan
    first[:, 9] = np.nan
    return saved(first, second)


def test_coco_results_are_the_raw_points_of_all_people(two_people):
    rows = json.loads(b"".join(export(read_result(two_people), "coco", ExportOptions()).pieces))
    assert len(rows) == 12 + 8
    assert [row["image_id"] for row in rows] == sorted(row["image_id"] for row in rows)
    assert {row["category_id"] for row in rows} == {1}
    frame = json.loads(two_people)["data"]["poses_per_frame"][6]
    mine, other = (row for row in rows if row["image_id"] == 6)
    for row, person in ((mine, frame), (other, frame["people"][0])):
        points = [person["keypoints"][name] for name in KEYPOINTS]
        wanted = [(p["x"] or 0.0, p["y"] or 0.0, p["confidence"]) for p in points]
        assert row["keypoints"] == [value for point in wanted for value in point]
        assert row["score"] == pytest.approx(np.mean([p[2] for p in wanted]), abs=1e-4)
    assert mine["keypoints"][27:30] == [0.0, 0.0, 0.0]  # a wrist that was not seen


def test_pycocotools_loads_them_and_finds_them_perfect_against_themselves(two_people, tmp_path):
    body = b"".join(export(read_result(two_people), "coco", ExportOptions()).pieces)
    rows = json.loads(body)
    labels = [
        row
        | {"id": i, "area": 9e4, "iscrowd": 0, "bbox": [0, 0, 300, 300], "num_keypoints": 16}
        | {"keypoints": [2 * (v > 0) if k % 3 == 2 else v for k, v in enumerate(row["keypoints"])]}
        for i, row in enumerate(rows, 1)
    ]
    person = {"id": 1, "name": "person", "keypoints": list(KEYPOINTS), "skeleton": []}
    images = [{"id": f, "width": 640, "height": 640, "file_name": f"{f}.png"} for f in range(12)]
    truth_path, results_path = tmp_path / "truth.json", tmp_path / "results.json"
    truth_path.write_text(
        json.dumps({"info": {}, "images": images, "annotations": labels, "categories": [person]})
    )
    results_path.write_bytes(body)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(truth_path))
        measured = COCOeval(truth, truth.loadRes(str(results_path)), "keypoints")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    assert measured.stats[0] == pytest.approx(1.0)
    assert measured.stats[5] == pytest.approx(1.0)
