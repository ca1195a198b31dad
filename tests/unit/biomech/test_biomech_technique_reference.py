"""References for technique that are tables of angles: their layouts, and mistakes in them."""

import contextlib
import csv
import io
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomech.applications.norms_and_limits import Guidelines
from biomech.applications.technique import technique
from biomech.applications.technique_reference import reference_of
from biomech.config import Context
from deployments.biomechanics import reference_files as module
from deployments.biomechanics.guideline_files import load_guidelines, summary_of
from deployments.errors import ConfigurationError
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from serve_app.results.response_schema import PoseResponse
from serve_app.results.wide_csv import write_csv
from serve_app.settings import ROOT
from tests.support.filmed_athlete import filmed, summarised
from tests.support.plain import in_json
from tests.support.saved_results import saved
from tests.support.stick_figure import from_the_side

technique = in_json(technique)

TIMES = np.arange(91) / 30
BEND = 0.5 - 0.5 * np.cos(2 * np.pi * TIMES / 1.5)  # two bends, 1.5 s each
UNSAID = "taken to agree, as the reference does not say: definitions, view, movement, filter"


def squats(deepest):
    """The response of two squats from the side, the knee flexed by so many degrees at most."""
    points = from_the_side(lean=BEND * 15, hip=BEND * 0.8 * deepest, knee=5 + BEND * deepest)
    return saved(points, context=Context("squat"))


@pytest.fixture(scope="module")
def deep():
    return squats(90.0)


@pytest.fixture(scope="module")
def shallow():
    return summary_of(json.loads(squats(60.0)))


@pytest.fixture
def read(tmp_path):
    """Writes a table and reads it as the reference of a site."""

    def reference(text, name="reference.csv"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return load_guidelines(reference=path).reference

    return reference


def wide(**columns):
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(columns)
    table.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def tidy(body, **options):
    return b"".join(
        export(read_result(body), "csv", ExportOptions(run_id="r", **options)).pieces
    ).decode()


def test_a_tidy_table_compares_as_the_result_that_it_is_of(read, deep, shallow):
    by_result = technique(shallow, summary_of(json.loads(deep)))
    told = technique(shallow, read(tidy(deep)))
    assert (told["status"], told["reason"]) == ("ok", UNSAID)
    assert told["dtw_norm"] == pytest.approx(by_result["dtw_norm"], abs=2e-3)
    assert told["timing"] == pytest.approx(by_result["timing"], abs=2e-3)
    assert told["joints"].keys() == by_result["joints"].keys()
    for name, joint in by_result["joints"].items():
        assert told["joints"][name]["rmsd_deg"] == pytest.approx(joint["rmsd_deg"], abs=0.01)
    assert told["joints"]["left_knee"]["max_dev_deg"] == pytest.approx(-30, abs=0.5)


def test_the_table_of_analyze_compares_the_joints_that_it_has(read, deep, shallow):
    text = io.StringIO()
    write_csv(PoseResponse.model_validate_json(deep), text)
    told = technique(shallow, read(text.getvalue()))
    assert told["status"] == "ok"
    assert "left_hip" not in told["joints"]
    assert told["joints"]["left_knee"]["max_dev_deg"] == pytest.approx(-30, abs=0.5)


def test_a_clip_tells_how_it_differs_from_a_table(read, deep):
    guidelines = Guidelines(reference=read(tidy(deep)))
    told = summarised(filmed("squat", seed=5)[1], Context("squat"), guidelines=guidelines)
    assert told["driver"].endswith("_hip")  # the table's own squats move the knee most
    assert told["applications"]["technique"]["status"] == "ok"


def test_only_the_joint_that_repetitions_are_of_makes_them_comparable(read, shallow):
    elbow = wide(time_s=TIMES, left_elbow=170 - 60 * BEND)
    told = technique(shallow, read(elbow))
    assert told["status"] == "not_comparable"
    assert re.fullmatch(r"repetitions are of (left|right)_knee and of left_elbow", told["reason"])


def test_signed_angles_are_not_compared_to_a_clip_without_a_sign(read, deep, shallow):
    unsigned = shallow | {"phases": shallow["phases"] | {"signed": False}}
    told = technique(unsigned, read(tidy(deep)))
    assert told["reason"] == "only one of the two has signed angles"


@given(st.floats(0, 30), st.floats(20, 130), st.floats(15, 120), st.integers(1, 4))
def test_a_mean_bend_is_the_curve_that_was_drawn(least, rise, rate, bends):
    times = np.arange(round(bends * 1.5 * rate) + 1) / rate
    flexion = least + rise * (0.5 - 0.5 * np.cos(2 * np.pi * times / 1.5))
    found = reference_of(times, {"left_knee": 180 - flexion})["phases"]
    curve = found["joints"]["left_knee"]
    # From a tenth of the way up to a tenth before the end.
    phase = np.linspace(np.arccos(0.8), 2 * np.pi - np.arccos(0.8), 101)
    drawn = least + rise * (0.5 - 0.5 * np.cos(phase))
    assert curve["mean"] == pytest.approx(drawn, abs=0.03 * rise)
    assert (curve["sd"] is None) == (bends == 1)
    signed = reference_of(times, {"left_knee_flexion": flexion})["phases"]
    assert signed["joints"]["left_knee"]["mean"] == pytest.approx(curve["mean"])
    assert (found["signed"], signed["signed"]) == (None, True)


def test_an_arm_that_goes_over_the_head_turns_on(read):
    turned = (190 * BEND + 180) % 360 - 180  # jumps to -180 and back
    found = read(wide(time_s=TIMES, left_shoulder_flexion=turned))["phases"]
    assert max(found["joints"]["left_shoulder"]["mean"]) == pytest.approx(190, abs=1)


def test_short_gaps_are_filled_and_a_bend_with_a_long_one_does_not_count(read):
    knee = [f"{v:.2f}" for v in 175 - 90 * BEND]
    whole = read(wide(time_s=TIMES, left_knee=knee))["phases"]["joints"]["left_knee"]
    knee[20:24] = [""] * 4
    gap = read(wide(time_s=TIMES, left_knee=knee))["phases"]["joints"]["left_knee"]
    assert gap["mean"] == pytest.approx(whole["mean"], abs=1.0)
    knee[10:30] = ["nan"] * 20
    half = read(wide(time_s=TIMES, left_knee=knee))["phases"]["joints"]["left_knee"]
    assert half["sd"] is None
    assert half["mean"] == pytest.approx(whole["mean"], abs=1.0)


def test_uneven_times_and_other_columns_do_no_harm(read):
    times = TIMES + np.where(np.arange(91) % 2, 0.01, 0.0)
    bend = 0.5 - 0.5 * np.cos(2 * np.pi * times / 1.5)
    uneven = read("\ufeff" + wide(frame=range(91), time_s=times, note=["x"] * 91,
                                  left_knee=175 - 90 * bend))  # fmt: skip
    even = read(wide(time_s=TIMES, left_knee=175 - 90 * BEND))
    means = [r["phases"]["joints"]["left_knee"]["mean"] for r in (uneven, even)]
    assert means[0] == pytest.approx(means[1], abs=2.0)


def test_of_several_people_of_a_table_the_first_one_counts(read, deep):
    text = tidy(deep)
    header, first = text.split("\n", 1)
    other = re.sub(r"^(\"?r\"?),1,", r"\1,2,", first, flags=re.MULTILINE)
    assert other != first
    other = re.sub(r"^(([^,]*,){6})[^,]+", r"\g<1>90", other, flags=re.MULTILINE)
    assert read(f"{header}\n{first}{other}") == read(text)


KNEE = wide(time_s=TIMES, left_knee=175 - 90 * BEND)
TIDY = "run_id,t_s,variable,side,value\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column time_s"),
        (KNEE.replace("time_s", "t"), "no column time_s; its first line is 't,left_knee'"),
        (KNEE.replace(",", ";"), "no column time_s"),
        (KNEE.replace("left_knee", "knee_left"), "no joint angle: a column is called left_knee"),
        (KNEE.replace("left_knee", "time_s"), "several columns time_s"),
        ("time_s,left_knee\n", "no rows"),
        ("time_s,left_knee\n0,1,2\n", "line 2 has 3 cells, the first one 2"),
        ("time_s,left_knee\n0,170\n0.1,bent\n", "line 3, left_knee: 'bent' is no number of sec"),
        ("time_s,left_knee\n0,inf\n", "line 2, left_knee: 'inf' is no number of sec"),
        ("time_s,left_knee\n,170\n", "a row has no time"),
        ("time_s,left_knee\n0,170\n0.1,171\n0.1,172\n", "ascend, 0.1 s comes after 0.1 s"),
        ("time_s,left_knee\n1,170\n0.9,171\n", "ascend, 0.9 s comes after 1 s"),
        ("time_s,left_knee\n0,170\n33,171\n", "at most 0.2 s apart, 33 s comes after 0 s; they"),
        ("time_s,left_knee\n0,-5\n", "left_knee is -5 at 0 s, must be 0 to 180 degrees"),
        ("time_s,left_hip_flexion\n0,400\n", "must be -360 to 360"),
        (wide(time_s=TIMES, left_knee=175 - 5 * BEND), "bends and straightens again"),
        (wide(time_s=TIMES, left_knee=[""] * 91), "bends and straightens again"),
        (TIDY + "r,0,nose_x,,3\n", "no variable is knee"),
        (TIDY + "r,0,knee,left,170\ns,0.1,knee,left,171\n", "line 3: there is more than one rec"),
        (TIDY + "r,0,knee,left,170\nr,0.1,knee,right,171\n", "right_knee is not told at the same"),
        (TIDY + "r,0,knee,left,x\n", "line 2, value: 'x' is no number of sec"),
        ("time_s,left_knee\n0," + "1" * 200_000, "field larger than"),
    ],
    ids=[
        "empty", "no time", "semicolons", "no angle", "twice", "no rows", "ragged", "words",
        "infinite", "a blank time", "equal times", "decreasing times", "milliseconds",
        "no included angle", "no angle at all", "hardly moves", "nothing known", "tidy without",
        "two recordings", "other times", "tidy words", "no table",
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_file(read, text, says):
    with pytest.raises(ConfigurationError, match=re.escape(says)) as told:
        read(text)
    assert "reference.csv is no reference: " in told.value.detail
    assert "technique.md" in told.value.hint


def test_a_file_that_is_too_large_or_not_text_is_not_read(read, tmp_path, monkeypatch):
    path = tmp_path / "binary.CSV"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"binary\.CSV is no reference: .*utf-8"):
        load_guidelines(reference=path)
    monkeypatch.setattr(module, "MOST_BYTES", 1 << 20)
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        read("x" * ((1 << 20) + 1))


@pytest.fixture(scope="module")
def any_file(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "any.csv"


CELLS = st.sampled_from(
    [
        "",
        "0",
        "0.1",
        "0.2",
        "170",
        "80",
        "-1",
        "1e308",
        "-1e308",
        "nan",
        "x",
        '"',
        "\0",
        "left",
        "r",
    ]
)
HEADS = st.sampled_from(
    ["time_s", "t_s", "variable", "side", "value", "left_knee", "left_knee_flexion", "primary"]
)


@given(st.lists(HEADS, max_size=5), st.lists(st.lists(CELLS, max_size=5), max_size=6), st.text())
def test_whatever_is_in_a_table_is_a_reference_or_refused(any_file, head, rows, tail):
    text = "\n".join(",".join(row) for row in (head, *rows)) + tail
    any_file.write_text(text, "utf-8", errors="replace")
    with contextlib.suppress(ConfigurationError):
        assert load_guidelines(reference=any_file).reference["phases"]["joints"]


def test_the_examples_of_the_page_are_references(read):
    page = (ROOT / "docs" / "biomechanics" / "technique.md").read_text("utf-8")
    examples = re.findall(r"^```csv\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 1
    assert list(read(examples[0])["phases"]["joints"]) == ["left_knee", "left_hip"]
