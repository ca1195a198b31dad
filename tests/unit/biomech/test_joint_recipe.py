"""The recipe "Add a joint angle" of docs/contributor.md, followed: one row is enough."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from biomech import joints
from serve_app.settings import ROOT

NAME = "trunk_shank"
WITH_ROW = """
import importlib.util, json, sys
import numpy as np

spec = importlib.util.spec_from_file_location("biomech.joints", sys.argv[1])
table = importlib.util.module_from_spec(spec)
sys.modules["biomech.joints"] = table
exec(compile(sys.stdin.read(), sys.argv[1], "exec"), table.__dict__)

from deployments.render import draw
from biomech.applications.monitoring import METRICS
from biomech.skeleton import KEYPOINTS
from serve_app.export import tidy
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from serve_app.report import tables
from serve_app.report.angle_series import charts_of
from serve_app.results.saved_result import read_summary
from tests.support.saved_results import saved
from tests.support.stick_figure import from_the_side

depth = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(90) / 45)
body = saved(from_the_side(
    lean=20 * depth, hip=80 * depth, knee=10 + 30 * depth, shoulder=0 * depth, elbow=0 * depth
))
result = read_result(body)
person = result.people[0]
summary = read_summary(result.summaries[person.person_id])


def columns(options):
    lines = b"".join(export(result, "mot", options).pieces).decode().splitlines()
    return next(line for line in lines if line.startswith("time"))


print(json.dumps({
    "response": json.loads(body),
    "drawn_at": [KEYPOINTS[at] for at in draw._ANGLES_AT],
    "rules": METRICS,
    "mot": columns(ExportOptions()),
    "opensim": columns(ExportOptions(profile="opensim", with_hip=True)),
    "tidy": b"".join(tidy.csv(result, "run")).decode(),
    "ranges": [row.name for row in tables.ranges(result, person)],
    "flexions": [row.name for row in tables.flexions(summary)],
    "measures": [row.name for row in tables.measures(summary)],
    "charts": [chart.title for chart in charts_of(result, person, ())],
}))
"""


def row_of_the_recipe():
    recipe = (ROOT / "docs" / "contributor.md").read_text("utf-8")
    row = re.search(r"```python\n(   JointSpec\(.*?)\n   ```", recipe, re.S)[1]
    return f"{textwrap.dedent(row)},\n"


def made_with(row):
    """What an analysis and its exports give if ``row`` stands in the table of joints."""
    source = Path(joints.__file__).read_text("utf-8")
    with_row = source.replace(
        ')\n"""In the order of tables.', f'{row})\n"""In the order of tables.'
    )
    assert (with_row == source) == (row == "")
    done = subprocess.run(
        [sys.executable, "-c", WITH_ROW, joints.__file__],
        input=with_row, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def extended():
    return made_with(row_of_the_recipe())


def frame_of(made):
    """The biomechanics of the deepest point of the first squat."""
    return made["response"]["data"]["poses_per_frame"][22]["biomechanics"]


def test_frames_have_the_angle_signed_and_unsigned(extended):
    frame = frame_of(extended)
    signed = frame["detail"]["signed"]
    value = signed[f"left_{NAME}_flexion"]
    # The directions of trunk and shank differ by the flexions of the joints between them.
    assert value == pytest.approx(
        signed["left_hip_flexion"] - signed["left_knee_flexion"], abs=2e-3
    )
    assert frame["joint_angles"][f"left_{NAME}"] == pytest.approx(180 - abs(value), abs=2e-3)
    low, high = frame["detail"]["ci95"][f"left_{NAME}"]
    assert low < frame["joint_angles"][f"left_{NAME}"] < high


def test_other_angles_and_scores_of_frames_stay_as_they_are(extended):
    frame, before = frame_of(extended), frame_of(made_with(""))
    added = {f"{side}_{NAME}" for side in ("left", "right")}
    assert frame["joint_angles"].keys() - before["joint_angles"].keys() == added
    assert {n: frame["joint_angles"][n] for n in before["joint_angles"]} == before["joint_angles"]
    assert frame["movement_analysis"] == before["movement_analysis"]
    assert frame["body_alignment"] == before["body_alignment"]


def test_the_summary_has_its_range_and_what_is_expected_of_it(extended):
    (person,) = extended["response"]["data"]["biomechanics_summary"]
    joint = person["joints"][f"right_{NAME}"]
    assert joint["signed"]
    assert joint["expected_error_deg"] == 6.0
    assert joint["max"] - joint["min"] == pytest.approx(joint["rom"], abs=1e-3)
    assert joint["rom"] > 10
    assert f"{NAME}_rom" in {measure["metric"] for measure in person["measures"]}


def test_exports_have_a_column_of_it(extended):
    assert f"left_{NAME}_flexion_2d" in extended["mot"].split("\t")
    assert f'"{NAME}","left",' in extended["tidy"]
    assert f'"{NAME}_flexion","right",' in extended["tidy"]


def test_what_opensim_has_no_coordinate_for_stays_out_of_its_profile(extended):
    assert extended["opensim"].split() == [
        "time",
        *("knee_angle_r", "arm_flex_r", "elbow_flex_r"),
        *("knee_angle_l", "arm_flex_l", "elbow_flex_l"),
        *("hip_flexion_r", "hip_flexion_l"),
    ]


def test_report_drawing_and_rules_have_it(extended):
    assert "Trunk to shank" in extended["ranges"]
    assert "trunk shank flexion" in extended["flexions"]
    assert "trunk shank range" in extended["measures"]
    assert "Trunk to shank, 180° straight" in [
        t.removesuffix(" (no interval)") for t in extended["charts"]
    ]
    assert extended["drawn_at"][-2:] == ["left_knee", "right_knee"]
    assert f"{NAME}_flexion" in extended["rules"]
