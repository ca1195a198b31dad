"""Results as numpy arrays and pandas tables: shapes, units, and NaN with a reason."""

import csv
import io
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from deployments.errors import BadParameterError
from serve_app.export import tidy
from serve_app.export.saved_clip import read_result
from serve_app.results.response_schema import PoseResponse
from serve_app.views import open_result
from tests.conftest import ROOT
from tests.support.saved_results import RATE, edited, saved, squatting
from tests.support.stick_figure import without

FRAMES = 90
OTHERS = (
    *("torch", "ray", "mmpose", "mmengine", "openvino", "fastapi", "starlette", "av", "cv2"),
    *("pyarrow", "rich", "jinja2", "yaml", "click", "pandas", "pydantic_settings"),
)
ALONE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})

class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OTHERS}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Guard())
import serve_app.client
from serve_app.views import open_result
clip = open_result("run.json")
print(clip.person().keypoints.shape, len(clip.tidy["value"]), clip.repetitions["number"])
"""


@pytest.fixture(scope="module")
def two_people():
    """The response of two people, of whom the second leaves in the middle."""
    other = squatting(FRAMES)
    other[45:] = np.nan
    return saved(squatting(FRAMES), other)


def test_arrays_have_the_numbers_of_the_response(squat):
    clip, document = open_result(squat), json.loads(squat)
    person = clip.person()
    assert clip.times_s == pytest.approx(np.arange(FRAMES) / RATE, abs=1e-6)
    assert person.keypoints.shape == person.sigma.shape == (FRAMES, 17, 2)
    assert person.confidence.shape == (FRAMES, 17)
    assert person.box.shape == (FRAMES, 4)
    knee = person.angles["left_knee"]
    assert (knee.value.shape, knee.sd.shape, knee.interval.shape) == (
        (FRAMES,),
        (FRAMES,),
        (FRAMES, 2),
    )
    for f, frame in enumerate(document["data"]["poses_per_frame"]):
        point = frame["keypoints"]["left_knee"]
        assert person.keypoints[f, 13].tolist() == [point["x"], point["y"]]
        assert person.sigma[f, 13].tolist() == point["sigma"]
        assert knee.value[f] == frame["biomechanics"]["joint_angles"]["left_knee"]
        assert knee.interval[f].tolist() == frame["biomechanics"]["detail"]["ci95"]["left_knee"]
    assert {curve.unit for curve in person.angles.values()} == {"deg"}
    assert "pose_quality" in person.scores
    assert "pose_quality" not in person.angles


def test_a_missing_number_is_nan_and_has_its_reason(squat):
    """A wrist is never seen, and nothing is in one frame."""

    def leave(document):
        document["data"]["poses_per_frame"][7] |= {
            "keypoints": None,
            "pose": None,
            "reason": "nobody_found",
        }

    person = open_result(edited(squat, leave)).person()
    elbow = person.angles["left_elbow"]
    assert np.isnan(elbow.value).all()
    assert set(np.delete(elbow.reason, 7)) == {"low_confidence"}
    assert np.isnan(person.keypoints[7]).all()
    assert (person.reason[7], person.reason[8]) == ("nobody_found", None)
    knee = person.angles["left_knee"]
    assert (knee.reason[7], knee.reason[8]) == ("nobody_found", None)
    assert np.isfinite(np.delete(knee.value, 7)).all()


def test_every_source_gives_the_same(squat, tmp_path):
    """A file, its bytes, an answer of the client, and the mapping of a handle."""
    path = tmp_path / "run.json"
    path.write_bytes(squat)
    sources = (path, str(path), squat, PoseResponse.model_validate_json(squat), json.loads(squat))
    tables = [open_result(source).frames for source in sources]
    for table in tables[1:]:
        assert table.keys() == tables[0].keys()
        for name, column in table.items():
            np.testing.assert_array_equal(column, tables[0][name], name)


def test_a_file_that_is_no_result_is_named(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(BadParameterError, match=r"a\.json: this is not a result"):
        open_result(tmp_path / "a.json")
    with pytest.raises(BadParameterError, match=r"b\.json: No such file"):
        open_result(tmp_path / "b.json")


def test_the_wide_table_has_a_row_a_frame_and_person(two_people):
    clip = open_result(two_people)
    table = clip.frames
    assert {len(column) for column in table.values()} == {FRAMES + 45}
    first, second = table["person_id"] == 1, table["person_id"] == 2
    assert table["primary"].tolist() == first.tolist()
    assert table["frame"][second].tolist() == list(range(45))
    assert (
        table["left_knee"][second].tolist()
        == clip.person(2).angles["left_knee"].value[:45].tolist()
    )
    assert np.all(table["left_knee_low"][first] < table["left_knee_high"][first])
    assert set(clip.person(2).reason[45:]) == {"not_visible"}
    with pytest.raises(BadParameterError, match="no person 3 in this result; there is 1, 2"):
        clip.person(3)


def test_the_long_table_is_the_one_that_is_exported(two_people):
    table = open_result(two_people).tidy
    text = b"".join(tidy.csv(read_result(two_people), "run-7")).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(table) == list(tidy.COLUMNS)
    assert len(table["value"]) == len(rows) > 0
    for name in ("run_id", "variable", "side", "unit", "stage", "null_reason"):
        assert [cell or "" for cell in table[name]] == [row[name] for row in rows], name
    for name in ("t_s", "value", "sd", "ci_lo", "ci_hi"):
        exported = np.array([float(row[name] or "nan") for row in rows])
        np.testing.assert_array_equal(table[name], exported, name)


def test_tables_of_events_have_a_row_each(two_people):
    clip = open_result(two_people)
    reps = json.loads(two_people)["data"]["biomechanics_summary"][0]["reps"]
    first = clip.repetitions["person_id"] == 1
    assert clip.repetitions["t_peak_s"][first].tolist() == [rep["t_peak_s"] for rep in reps]
    peaks = [rep["peak_deg"]["left_knee"] for rep in reps]
    assert clip.repetitions["peak_left_knee"][first].tolist() == peaks
    measures = clip.measures
    assert {"knee_flexion_peak"} <= set(measures["metric"])
    assert measures["sigma"].dtype == np.float64
    summary = clip.summary
    assert summary["repetitions"].tolist() == [2, 1]
    assert summary["view"].tolist() == ["sagittal", "sagittal"]
    lacking = np.isnan(summary["athletic_readiness"])
    assert lacking.all()
    assert set(summary["athletic_readiness_reason"]) == {"low_coverage"}
    assert list(clip.events) == ["person_id", "kind", "side", "t_s", "frame"]
    assert clip.events["t_s"].shape == (0,)


def test_steps_are_events_and_their_measures_have_times(squat):
    def walk(document):
        (summary,) = document["data"]["biomechanics_summary"]
        event = {"kind": "contact", "side": "left", "t_s": 1.0, "frame": 30}
        summary["gait"] = {"steps": 3, "cadence_per_min": 100.0, "events": [event]}
        summary["measures"] = [
            {"metric": "step_time", "side": "left", "unit": "s", "n": 2, "mean": 0.5, "sd": None,
             "t_s": [1.0, 2.0], "values": [0.5, 0.6], "sigma": [0.01, 0.02]}
        ]  # fmt: skip

    clip = open_result(edited(squat, walk))
    assert {name: column.tolist() for name, column in clip.events.items()} == {
        "person_id": [1],
        "kind": ["contact"],
        "side": ["left"],
        "t_s": [1.0],
        "frame": [30],
    }
    assert clip.measures["value"].tolist() == [0.5, 0.6]
    assert clip.measures["sigma"].tolist() == [0.01, 0.02]
    assert (clip.summary["steps"].tolist(), clip.summary["cadence_per_min"].tolist()) == (
        [3],
        [100],
    )


def test_a_clip_without_people_has_frames_and_reasons():
    clip = open_result(saved(without(squatting(5) * np.nan)))
    assert clip.people == ()
    assert set(clip.frames["reason"]) == {"nobody_found"}
    assert len(clip.frames["t_s"]) == 5
    assert list(clip.tidy) == list(tidy.COLUMNS)
    assert len(clip.summary["view"]) == len(clip.repetitions["depth"]) == 0
    with pytest.raises(BadParameterError, match="nobody was found"):
        clip.person()


def test_a_table_needs_pandas_and_arrays_do_not(squat, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    frames = open_result(squat).frames
    with pytest.raises(ImportError, match="pip install pandas, or take the columns"):
        frames.to_frame()
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    assert frames.to_frame() == frames


def test_pandas_takes_every_table(two_people):
    pytest.importorskip("pandas", reason="pandas is not installed: the tables are its arrays")
    clip = open_result(two_people)
    wide = clip.frames.to_frame().set_index(["person_id", "frame"])
    assert wide.loc[(2, 44), "left_knee"] == clip.person(2).angles["left_knee"].value[44]
    long = clip.tidy.to_frame()
    knee = long[(long.variable == "knee") & (long.side == "left") & (long.person_id == 1)]
    assert knee.value.tolist() == clip.person().angles["left_knee"].value.tolist()
    assert clip.repetitions.to_frame().groupby("person_id").size().tolist() == [2, 1]
    assert clip.summary.to_frame().shape[0] == 2
    assert clip.events.to_frame().empty


def blocks_of(*page):
    """Return the Python examples of a page that read results."""
    text = ROOT.joinpath(*page).read_text("utf-8")
    found = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if "open_result" in block or "clip.measures" in block]


@pytest.mark.parametrize("page", [("README.md",), ("docs", "user.md")])
def test_the_examples_of_the_pages_run(squat, page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    for folder in (tmp_path, tmp_path / "results"):
        (folder / "run.json").write_bytes(squat)
    example, *others = blocks_of(*page)
    exec(example, names := {})
    top = names["knee"].value.argmax()
    assert str(names["clip"].times_s[top]) in capsys.readouterr().out
    assert len(others) == (page[-1] == "user.md")
    if others:
        pytest.importorskip("pandas", reason="pandas is not installed: tables are not made")
    for block in others:
        exec(block, names)
    assert page[-1] != "user.md" or "knee_flexion_peak" in names["strides"].columns


def test_every_table_and_column_is_explained(squat):
    page = (ROOT / "docs" / "user.md").read_text("utf-8").partition("## Arrays and tables")[2]
    clip = open_result(squat)
    for table in ("frames", "tidy", "repetitions", "events", "measures", "summary"):
        assert f"| `clip.{table}` |" in page
    for table in (clip.events, clip.measures):
        assert [name for name in table if f"`{name}`" not in page] == []
    fixed = [n for n in clip.repetitions if not n.startswith(("peak_", "rom_"))]
    assert [name for name in fixed if f"`{name}`" not in page] == []


def test_the_packages_of_the_client_and_the_library_are_enough(squat, tmp_path):
    (tmp_path / "run.json").write_bytes(squat)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "(90, 17, 2) 7290 [1 2]\n"
