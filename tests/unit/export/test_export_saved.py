"""Reading a saved result: what comes back, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biomech.kinematics.geometry import flexion
from biomech.preprocessing.preprocess import preprocess
from biomech.results.person_summary import disabled_summary
from biomech.skeleton import KEYPOINTS
from deployments.errors import BadParameterError
from serve_app.export.formats import FORMATS, ExportOptions, export
from serve_app.export.saved_clip import MOST_FRAMES_A_SECOND, read_result
from serve_app.report.build import report_of
from tests.support.plain import plain
from tests.support.saved_results import edited, saved, squatting


@pytest.fixture(scope="session")
def short():
    return saved(squatting(7))


def frames_of(document):
    return document["data"]["poses_per_frame"]


def test_the_arrays_are_those_that_were_analyzed(squat):
    result = read_result(squat)
    track = result.track(result.person())
    wanted = squatting()
    wanted[:, KEYPOINTS.index("left_wrist")] = np.nan
    assert track.xy == pytest.approx(wanted, abs=0.006, nan_ok=True)
    assert track.times_s == pytest.approx(np.arange(90) / 30, abs=1e-6)
    assert (track.size, result.request_id, result.min_score) == ((640, 640), "run-7", 0.3)
    person = result.person()
    assert (person.height_m, person.view, person.cutoff_hz) == (1.8, "sagittal", 6.0)
    assert track.present.all()


def test_smoothing_again_gives_the_angles_of_the_response(squat):
    result = read_result(squat)
    person = result.person()
    again = preprocess(result.track(person), result.config(person))
    knee = flexion("right_knee", again.gated.xy)
    assert knee == pytest.approx(person.signed["right_knee_flexion"], abs=0.02)


def test_slow_motion_is_seconds_of_the_world(squat):
    slow = edited(
        squat,
        lambda d: d["data"]["biomechanics_summary"][0]["camera"].update(slowmo_factor=4.0),
    )
    assert read_result(slow).times_s[-1] == pytest.approx(89 / 30 / 4, abs=1e-6)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[]", "document"),
        (b'{"data": null, "video_url": null, "request_id": "r"}', "the result has no poses"),
        (b'{"data": {"poses_per_frame": 3}}', "poses_per_frame"),
    ],
    ids=["empty", "deep", "not-text", "a-list", "without-data", "another-type"],
)
def test_what_is_no_result_is_refused(body, says):
    with pytest.raises(BadParameterError, match=says):
        read_result(body)


def point(document, frame=3, name="nose"):
    return frames_of(document)[frame]["keypoints"][name]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: point(d).update(x=float("nan")), r"keypoints.nose.x"),
        (lambda d: point(d).update(y=1e300), r"keypoints.nose.y"),
        (lambda d: point(d).update(confidence=7), r"keypoints.nose.confidence"),
        (lambda d: point(d).update(sigma=[1]), r"keypoints.nose.sigma"),
        (lambda d: frames_of(d)[0]["keypoints"].pop("nose"), "17 COCO keypoints"),
        (lambda d: frames_of(d)[0]["keypoints"].update(tail=point(d)), "17 COCO keypoints"),
        (lambda d: frames_of(d)[5]["frame_info"].update(timestamp=-1), "timestamp"),
        (lambda d: frames_of(d)[5]["frame_info"].update(timestamp=9.0), "order of time"),
        (lambda d: frames_of(d)[5]["frame_info"].update(frame_number=3), "order of time"),
        (lambda d: frames_of(d)[5]["pose"].update(track_id=9), "several primary people"),
        (
            lambda d: frames_of(d)[5]["biomechanics"]["joint_angles"].update({"=cmd()": 1}),
            "joint_angles.=cmd",
        ),
        (
            lambda d: frames_of(d)[5]["biomechanics"]["detail"]["nulls"].update(nose="<b>"),
            "nulls.nose",
        ),
        (
            lambda d: frames_of(d)[5]["biomechanics"]["detail"]["signed"].update({"a\x1b[2J": 1}),
            r"signed.a\?\[2J",
        ),
        (
            lambda d: frames_of(d)[5]["biomechanics"]["detail"]["signed"].update(
                {f"angle_{i}": 1.0 for i in range(99)}
            ),
            "kinds of value that are not of this service",
        ),
        (lambda d: d["data"]["biomechanics_summary"][0].update(height_m=99), "height_m"),
        (lambda d: d["data"]["processing_summary"]["video_info"].update(width=0), "width"),
    ],
)
def test_a_result_that_was_tampered_with_is_refused_by_the_place(short, change, says):
    with pytest.raises(BadParameterError, match=says):
        read_result(edited(short, change))


def test_two_rows_of_one_person_in_a_frame_are_refused():
    body = saved(squatting(4), squatting(4) + 5.0)
    twice = edited(body, lambda d: frames_of(d)[1].update(people=frames_of(d)[1]["people"] * 2))
    with pytest.raises(BadParameterError, match="twice in one frame"):
        read_result(twice)


def test_more_frames_a_second_than_windows_can_hold_are_refused(squat):
    def crowd(document):
        frame = {**frames_of(document)[0], "keypoints": None, "pose": None}
        document["data"]["poses_per_frame"] = [
            {**frame, "frame_info": {"frame_number": i, "timestamp": i * 1e-5, "model_used": None}}
            for i in range(MOST_FRAMES_A_SECOND + 1)
        ]

    with pytest.raises(BadParameterError, match="4000 frames a second"):
        read_result(edited(squat, crowd))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_put_in_place_of_a_value_is_exported_or_refused(short, data):
    """No other exception, and no file with a number that is not one."""
    document = json.loads(short)
    at = document
    for _ in range(data.draw(st.integers(1, 7))):
        if isinstance(at, dict) and at:
            key = data.draw(st.sampled_from(sorted(at)))
        elif isinstance(at, list) and at:
            key = data.draw(st.integers(0, len(at) - 1))
        else:
            break
        parent, at = at, at[key]
    odd = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=5),
        st.lists(st.integers(), max_size=3),
        st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
    )
    parent[key] = data.draw(odd)
    kind = data.draw(st.sampled_from(["csv", "coco", "mot", "c3d"]))
    try:
        made = FORMATS[kind](read_result(json.dumps(document).encode()), ExportOptions(run_id="r"))
    except BadParameterError:
        return
    if kind != "c3d":
        text = b"".join(made.pieces).decode()
        assert "inf" not in text
        assert kind == "mot" or "nan" not in text.lower()


@pytest.mark.parametrize(
    "summaries",
    [[], [plain(disabled_summary(1))]],
    ids=["no summary", "switched off"],
)
def test_a_result_without_biomechanics_still_has_its_points(squat, summaries):
    def strip(document):
        for frame in frames_of(document):
            frame["biomechanics"] = {
                "joint_angles": {},
                "movement_analysis": {},
                "body_alignment": {},
            }
        document["data"]["biomechanics_summary"] = summaries

    result = read_result(edited(squat, strip))
    assert b"nose_x" in b"".join(export(result, "csv", ExportOptions()).pieces)
    assert export(result, "trc", ExportOptions()).suffix == ".person1_px.trc"
    with pytest.raises(BadParameterError, match="no signed angle"):
        export(result, "mot", ExportOptions())
    report = report_of(result, "squats")
    assert (report.ranges, report.measures, report.findings) == ((), (), ())
