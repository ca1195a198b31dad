"""Two saved results compared by the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from biomech.config import Context
from serve_app.cli import main
from tests.saved_results import saved
from tests.stick_figure import from_the_side

SQUATS = Context(movement="squat")


def squats(deepest, frames=200):
    """(f, 17, 2) of four squats, each as deep as ``deepest`` says of the knee's flexion."""
    cycle = np.arange(frames) / 50
    depth = (0.5 - 0.5 * np.cos(2 * np.pi * cycle)) * np.array(deepest)[np.arange(frames) // 50]
    return from_the_side(lean=depth / 6, hip=depth * 0.9, knee=5 + depth)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Squats before and after, shallower, from another movement, and too short to tell."""
    folder = tmp_path_factory.mktemp("results")
    for name, points, context in (
        ("before", squats([90, 92, 88, 91]), SQUATS),
        ("after", squats([60, 62, 58, 61]), SQUATS),
        ("run", squats([90, 92, 88, 91]), Context(movement="run")),
        ("short", squats([90] * 4)[:8], SQUATS),
    ):
        (folder / f"{name}.json").write_bytes(saved(points, context=context))
    return folder


def compared(folder, *arguments):
    paths = [str(folder / a) if a.endswith(".json") else a for a in arguments]
    return CliRunner().invoke(main, ["compare", *paths])


def test_a_shallower_squat_is_told_beyond_what_can_be_detected(folder):
    done = compared(folder, "before.json", "after.json", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    changes = {(c["metric"], c["side"]): c for c in told["progress"]["changes"]}
    for side in ("left", "right"):
        knee = changes["knee_flexion_peak", side]
        assert knee["delta"] == pytest.approx(-30, abs=1.5)
        assert (knee["mdc"], knee["verdict"]) == (8.0, "changed")
    assert changes["repetition_duration", None]["verdict"] is None
    assert told["technique"]["joints"]["left_knee"]["max_dev_deg"] == pytest.approx(-30, abs=2)


def test_the_table_says_the_same_in_words(folder):
    done = compared(folder, "before.json", "after.json")
    assert done.exit_code == 0, done.output
    assert "before.json to after.json" in done.stdout
    (line,) = [
        row for row in done.stdout.splitlines() if "knee flexion peak" in row and "left" in row
    ]
    cells = [cell.strip() for cell in line.split("│")[1:-1]]
    assert cells[2] == "deg"
    assert float(cells[5].split(" ± ")[0].replace("−", "-")) == pytest.approx(-30, abs=1.5)
    assert cells[6:] == ["8.00", "changed"]
    assert "mean repetition" in done.stdout


def test_a_result_does_not_differ_from_itself(folder):
    told = json.loads(compared(folder, "before.json", "before.json", "--json").stdout)
    assert {c["delta"] for c in told["progress"]["changes"]} == {0.0}
    assert {c["verdict"] for c in told["progress"]["changes"]} == {"no_detectable_change", None}
    assert (told["technique"]["dtw_norm"], told["technique"]["timing"]) == (0.0, 0.0)


def test_which_direction_is_better_comes_from_the_site(folder, tmp_path, monkeypatch):
    path = tmp_path / "mdc.yaml"
    path.write_text("knee_flexion_peak: {mdc: 5, source: ours, better: higher}\n")
    monkeypatch.setenv("MMPOSE_MDC", str(path))
    told = json.loads(compared(folder, "before.json", "after.json", "--json").stdout)
    verdicts = {c["metric"]: c["verdict"] for c in told["progress"]["changes"]}
    assert verdicts["knee_flexion_peak"] == "worse"
    assert verdicts["hip_flexion_peak"] is None


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("run.json", "movement: squat and run; filter.cutoff_hz: 6.0 and 10.0"),
        ("short.json", "filter.cutoff_hz: 6.0 and None"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_does_not_compare_is_refused_with_the_reason(folder, other, says, form):
    done = compared(folder, "before.json", other, *form)
    assert done.exit_code == 1
    assert says in done.stderr
    assert "knee" not in done.stdout
    if form:
        assert json.loads(done.stdout)["progress"]["status"] == "not_comparable"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["before.json"], "Missing argument"),
        (["before.json", "missing.json"], "missing.json"),
        (["before.json", "after.json", "--people", "1", "7"], "there is no person 7"),
        (["text.json", "after.json"], "text.json: this is not a result"),
        (["off.json", "after.json"], "off.json: there is nothing to compare"),
    ],
)
def test_wrong_use_ends_with_2(folder, arguments, says):
    (folder / "text.json").write_text("{")
    document = json.loads((folder / "before.json").read_text())
    document["data"]["biomechanics_summary"] = [
        {"person_id": 1, "definitions": "bm-1", "reason": "disabled"}
    ]
    (folder / "off.json").write_text(json.dumps(document))
    done = compared(folder, *arguments)
    assert done.exit_code == 2
    assert says in done.stderr
