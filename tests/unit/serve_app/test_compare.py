"""Two saved results compared by the command line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from biomech.config import DEFINITIONS, Context
from deployments.errors import DefinitionsDifferError
from serve_app.cli.compare import compare
from serve_app.cli.main import main
from tests.support.saved_results import saved
from tests.support.stick_figure import from_the_side

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
        {"person_id": 1, "definitions": DEFINITIONS, "reason": "disabled"}
    ]
    (folder / "off.json").write_text(json.dumps(document))
    done = compared(folder, *arguments)
    assert done.exit_code == 2
    assert says in done.stderr


def of_earlier_definitions(folder):
    """The path of the result `before.json` as the definitions bm-1 would have named it."""
    document = json.loads((folder / "before.json").read_text())
    for summary in document["data"]["biomechanics_summary"]:
        summary["definitions"] = "bm-1"
    path = folder / "earlier.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("order", [("earlier.json", "after.json"), ("after.json", "earlier.json")])
def test_results_of_different_definitions_are_not_mixed(folder, order, form):
    of_earlier_definitions(folder)
    done = compared(folder, *order, *form)
    assert done.exit_code == 1
    assert "earlier.json has definitions bm-1" in done.stderr
    assert f"after.json has definitions {DEFINITIONS}" in done.stderr
    assert "Analyze the older video again" in done.stderr
    assert not done.stdout
    with pytest.raises(DefinitionsDifferError, match="bm-1"):
        compare.callback(*(folder / name for name in order), people=None, as_json=bool(form))


def test_results_of_earlier_definitions_compare_with_each_other(folder):
    of_earlier_definitions(folder)
    done = compared(folder, "earlier.json", "earlier.json", "--json")
    assert done.exit_code == 0, done.output
    assert {c["delta"] for c in json.loads(done.stdout)["progress"]["changes"]} == {0.0}


@pytest.mark.parametrize("kind", ["csv", "trc", "coco"])
def test_results_of_earlier_definitions_are_exported_and_reported(folder, tmp_path, kind):
    path = of_earlier_definitions(folder)
    done = CliRunner().invoke(
        main, ["export", str(path), "--format", kind, "--out", str(tmp_path / "made")]
    )
    assert done.exit_code == 0, done.output
    assert [path.stat().st_size > 0 for path in tmp_path.glob("made*")] == [True]
    page = tmp_path / "page.html"
    done = CliRunner().invoke(main, ["report", str(path), "--out", str(page)])
    assert done.exit_code == 0, done.output
    assert "definitions bm-1" in page.read_text()
