"""The summary of a clip on the terminal: events, ranges of joints, cautions."""

import json

import pytest

from biomech.config import DEFINITIONS, Context, Subject
from deployments.biomechanics.guideline_files import load_guidelines
from serve_app.cli.overview import print_summary
from serve_app.results.response_schema import PoseResponse
from serve_app.setting_types import ROOT
from tests.support.filmed_athlete import filmed, summarised
from tests.support.saved_results import saved, squatting


@pytest.fixture(scope="module")
def empty():
    """A response of somebody who was seen too briefly for events."""
    return json.loads(saved(squatting(8)))


@pytest.fixture(scope="module")
def squats():
    return summarised(filmed("squat", seed=5)[1], Context("squat"))


@pytest.fixture
def printed(empty, capsys, monkeypatch):
    """What is printed of summaries: lines, and the cells of those that are rows of tables."""

    monkeypatch.setenv("COLUMNS", "160")

    def show(*summaries, **options):
        data = empty["data"] | {"biomechanics_summary": list(summaries)}
        print_summary(PoseResponse.model_validate(empty | {"data": data}), "run", **options)
        lines = capsys.readouterr().out.splitlines()
        rows = [[c.strip() for c in line.split("│")[1:-1]] for line in lines if "│" in line]
        return lines, {row[0]: row[1:] for row in rows}

    return show


def test_repetitions_are_told_with_their_times_and_how_far_they_went(printed, squats):
    lines, rows = printed(squats)
    assert (
        lines[0]
        == "run, person 1: sagittal view, movement squat, smoothed at 6 Hz (for the movement named)"
    )
    reps = {name: cells for name, cells in rows.items() if name.startswith("repetition")}
    assert list(reps) == [f"repetition {i}" for i in (1, 2, 3, 4)]
    for cells, rep in zip(reps.values(), squats["reps"], strict=True):
        start, stop = rep["t_start_s"], rep["t_end_s"]
        assert cells[:3] == [f"{start:.2f}", f"{stop:.2f}", f"{stop - start:.2f}"]
        peak = rep["peak_deg"][squats["driver"]]
        named = squats["driver"].replace("_", " ")
        assert cells[3] == f"{named} {peak:.0f}° at {rep['t_peak_s']:.2f} s"


def test_every_joint_has_its_range_in_degrees_with_its_interval(printed, squats):
    rows = printed(squats)[1]
    for name, joint in squats["joints"].items():
        low, high = joint["rom_ci95"]
        assert rows[name.replace("_", " ")] == [
            *(f"{joint[end]:.0f}" for end in ("min", "max", "rom")), f"{low:.0f} to {high:.0f}"
        ]  # fmt: skip


def test_steps_of_both_sides_are_told_in_the_order_of_time(printed):
    told = summarised(filmed("gait", seed=4)[1], Context("gait", subject=Subject(1.8)))
    lines, _ = printed(told)
    pace = f"walks at {told['gait']['cadence_per_min']:.0f} steps a minute"
    assert lines[0].endswith(f"1.80 m tall, {pace}")
    steps = [line.split("│")[1:-1] for line in lines if " step " in line and "│" in line]
    contacts = [e for e in told["gait"]["events"] if e["kind"] == "contact"]
    assert len(steps) == min(told["gait"]["steps"], 12)
    for cells, before, after in zip(steps, contacts, contacts[1:], strict=False):
        name, start, stop, _, length = (cell.strip() for cell in cells)
        assert name == f"{after['side']} step"
        assert float(start) == pytest.approx(before["t_s"], abs=0.0051)
        assert float(stop) == pytest.approx(after["t_s"], abs=0.0051)
        assert 0.4 < float(length.removesuffix(" m long")) < 1.0
    assert not any("repetition" in line for line in lines)


def test_jumps_are_told_with_their_height_and_what_one_frame_makes_of_it(printed):
    guidelines = load_guidelines(ROOT / "config" / "rules.yaml")
    context = Context("jump", subject=Subject(1.8))
    told = summarised(filmed("jump", seed=5)[1], context, guidelines=guidelines)
    lines, rows = printed(told)
    for count, jump in enumerate(told["jumps"], 1):
        high, error = (f"{jump[name]:.2f}" for name in ("height_m", "height_error_m"))
        assert rows[f"jump {count}"][0] == f"{jump['t_takeoff_s']:.2f}"
        assert rows[f"jump {count}"][3] == f"{high} ± {error} m high"
    text = "\n".join(lines)
    assert "\n- 30 frames a second, 60 or more are needed for this movement (100%" in text
    assert "\n- The camera was taken as level" in text
    alert = told["applications"]["monitoring"]["alerts"][0]
    assert f"{alert['value']:.1f}° [" in text


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (
            {"status": "ok", "of": "repetition", "dtw_norm": 0.5683, "timing": 0.0741, "joints": {
                "left_hip": {"rmsd_deg": 1.0, "max_dev_deg": 40.0, "at_pct": 3.0},
                "left_knee": {"rmsd_deg": 20.0, "max_dev_deg": -29.6, "at_pct": 50.0}}},
            "mean repetition 0.6 tolerances off when warped, 7 % out of step; most the left knee, "
            "30° less at 50 %",
        ),
        ({"status": "not_comparable", "reason": "view: sagittal and frontal"},
         "not comparable: view: sagittal and frontal"),
        ({"status": "not_supplied", "reason": "no reference result was supplied"}, None),
        ({"status": "insufficient_data", "reason": "no joint is seen in both"}, None),
    ],
    ids=["compared", "not comparable", "no reference", "nothing to compare"],
)  # fmt: skip
def test_technique_is_told_where_there_is_a_reference(printed, squats, outcome, says):
    applications = squats["applications"] | {"technique": outcome}
    lines = printed(squats | {"applications": applications})[0]
    told = [line.strip() for line in lines if line.startswith("- Against the reference: ")]
    assert told == ([] if says is None else [f"- Against the reference: {says}"])


def test_more_of_a_kind_than_anybody_reads_are_counted(printed, squats):
    many = squats | {"reps": squats["reps"] * 5}
    rows = printed(many)[1]
    assert "repetition 12" in rows
    assert "repetition 13" not in rows
    assert "and 8 more" in rows


def test_repetitions_counted_by_the_hips_are_lowest_at_their_peak(printed, squats):
    rows = printed(squats | {"driver": "hip_depth"})[1]
    assert rows["repetition 1"][3] == f"lowest at {squats['reps'][0]['t_peak_s']:.2f} s"


def test_repetitions_from_a_seat_are_straightest_at_their_peak_and_may_be_partial(printed, squats):
    seated = squats | {"direction": "extension"}
    at = f"at {squats['reps'][0]['t_peak_s']:.2f} s"
    named = squats["driver"].replace("_", " ")
    assert printed(seated)[1]["repetition 1"][3] == f"{named} straightest {at}"
    seated |= {"driver": "hip_depth", "reps": [squats["reps"][0] | {"depth_class": "partial"}]}
    assert printed(seated)[1]["repetition 1"][3] == f"highest, partial, {at}"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("default", "10 Hz"), (None, "10 Hz"), ("request", "10 Hz (as asked for)"),
        ("recognized", "10 Hz (for the movement recognized)"),
    ],
)  # fmt: skip
def test_the_cutoff_is_told_with_who_chose_it(printed, squats, source, says):
    used = squats["filter"] | {"cutoff_hz": 10.0, "cutoff_source": source}
    assert printed(squats | {"filter": used})[0][0].endswith(f"smoothed at {says}")


def test_a_joint_of_which_too_little_was_seen_says_why(printed, squats):
    elbow = dict.fromkeys(("min", "max", "rom", "rom_ci95")) | {"reason": "low_coverage"}
    joints = {"left_elbow": squats["joints"]["left_elbow"] | elbow}
    assert printed(squats | {"joints": joints})[1]["left elbow"] == ["", "", "", "low coverage"]


def test_where_nothing_happened_there_is_no_table(printed, empty):
    (short,) = empty["data"]["biomechanics_summary"]
    lines, rows = printed(short)
    assert lines[0] == "run, person 1: sagittal view, movement auto, too short to be smoothed"
    assert rows == {}
    off = {"person_id": 1, "definitions": DEFINITIONS, "reason": "disabled"}
    assert printed(off)[0] == ["run, person 1: no biomechanics: disabled"]
    assert printed()[0] == []


def test_others_are_told_of_where_everybody_is_asked_for(printed, empty):
    (short,) = empty["data"]["biomechanics_summary"]
    two = short, short | {"person_id": 2}
    for options, numbers in (({}, "1"), ({"everybody": True}, "12")):
        lines = printed(*two, **options)[0]
        assert [line[12] for line in lines if line.startswith("run, person")] == list(numbers)
