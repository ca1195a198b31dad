"""The page: its numbers, that it needs nothing beside itself, and that nothing gets out of it."""

import base64
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from biomech.config import DEFINITIONS
from biomech.results.person_summary import LIMITS
from deployments.errors import BadParameterError
from serve_app.cli.main import main
from serve_app.export.saved_clip import read_result
from serve_app.report.build import report_of, to_html
from serve_app.report.chart import Mark
from serve_app.report.key_pictures import key_frames, moments
from tests.support.saved_results import edited, height_of, saved, squatting
from tests.support.stick_figure import FIGURE

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data + "\n"


@pytest.fixture(scope="module")
def squat():
    return saved(squatting(120), context=height_of(1.8))


@pytest.fixture(scope="module")
def short():
    """Too short to be filtered, and so quick: for what does not hang on the numbers."""
    return saved(squatting(8))


def summary_of(document):
    return document["data"]["biomechanics_summary"][0]


def page_of(body, change=lambda document: None, **options):
    html = to_html(report_of(read_result(edited(body, change)), "squats", **options))
    return SimpleNamespace(html=html, **vars(Page(html)))


MEASURES = [
    {"metric": "knee_rom", "side": "left", "unit": "deg", "n": 4, "mean": 80.0, "sd": 2.0},
    {"metric": "knee_rom", "side": "right", "unit": "deg", "n": 1, "mean": 70.0, "sd": None},
    {"metric": "cadence", "side": None, "unit": "1/min", "n": 9, "mean": 108.0, "sd": 3.0},
]


def test_measures_have_the_interval_of_their_mean(short):
    report = report_of(
        read_result(edited(short, lambda d: summary_of(d).update(measures=MEASURES))), "t"
    )
    knee, cadence = report.measures
    # Student's t of 3 degrees of freedom is 3.182, of 8 it is 2.306.
    assert (knee.name, knee.unit, knee.n) == ("knee range", "°", "4, 1")
    assert knee.cells == ("80.0 [76.8, 83.2]", "70.0")
    assert (cadence.cells, cadence.unit) == (("108.0 [105.7, 110.3]",), "per min")


def test_ranges_are_those_of_the_summary_else_of_the_frames(squat):
    joint = {"min": -12.4, "max": 99.6, "rom": 112.0, "rom_ci95": [105.0, 119.0]}
    told = report_of(
        read_result(edited(squat, lambda d: summary_of(d).update(joints={"left_knee": joint}))), "t"
    )
    assert told.ranges[0].cells == ("−12 to 100: 112 [105, 119]", "")
    bare = report_of(read_result(edited(squat, lambda d: summary_of(d).update(joints={}))), "t")
    low, high = map(int, re.match(r"(\d+) to (\d+) \(100%\)", bare.ranges[0].cells[0]).groups())
    assert (low, high) == (pytest.approx(80, abs=4), pytest.approx(170, abs=3))


APPLICATIONS = {
    "monitoring": {
        "status": "ok",
        "reason": None,
        "alerts": [
            {
                "side": "left",
                "t_start_s": 1.25,
                "value": 12.5,
                "ci95": [9.0, 16.0],
                "text": "fppa outside the configured range (> 8)",
                "note": "Does not predict injury",
            }
        ],
    },
    "asymmetry": {
        "status": "ok",
        "reason": None,
        "differences": [
            {"metric": "knee_rom", "unit": "deg", "diff": -9.0, "ci95": [-12, -6], "real": True},
            {"metric": "hip_rom", "unit": "deg", "diff": 1.0, "ci95": [-2, 4], "real": False},
        ],
    },
    "fatigue": {
        "status": "ok",
        "reason": None,
        "trends": [
            {"metric": "sparc", "side": None, "unit": "1", "slope_per_min": -0.2,
             "ci95": [-0.3, -0.1], "drift": True},
            {"metric": "knee_rom", "side": "left", "unit": "deg", "slope_per_min": 5.0,
             "ci95": [1, 9], "drift": None},
        ],
    },
    "progress": {
        "status": "ok",
        "reason": None,
        "changes": [
            {"metric": "hip_rom", "side": "left", "unit": "deg", "delta": 12.0, "ci95": [9, 15],
             "verdict": "improved"},
            {"metric": "knee_rom", "side": "left", "unit": "deg", "delta": 50.0, "ci95": [40, 60],
             "verdict": None, "reason": "near_far_bias"},
            {"metric": "sparc", "side": None, "unit": "1", "delta": 0.1, "ci95": [-1, 1],
             "verdict": "no_detectable_change"},
        ],
    },
}  # fmt: skip


def test_what_stands_out_is_told_with_side_time_and_interval(short):
    body = edited(short, lambda d: summary_of(d).update(applications=APPLICATIONS))
    assert report_of(read_result(body), "t").findings == (
        "Left fppa outside the configured range (> 8): 12.5° [9.0, 16.0] at 1.25 s. "
        "Does not predict injury",
        "Knee range differs between sides: left larger by 9.0°; right less left −9.0° "
        "[−12.0, −6.0]",
        "Sparc drifts within the clip by −0.20 [−0.30, −0.10] a minute",
        "Left hip range improved since the earlier result by 12.0° [9.0, 15.0]",
    )


def test_an_earlier_result_that_does_not_compare_is_told(short):
    told = {"progress": {"status": "not_comparable", "reason": "view: frontal and sagittal"}}
    body = edited(short, lambda d: summary_of(d).update(applications=told))
    assert report_of(read_result(body), "t").findings == (
        "The earlier result is not comparable: view: frontal and sagittal",
    )


@pytest.mark.parametrize(
    ("applications", "says"),
    [
        ({}, None),
        ({"asymmetry": {"status": "insufficient_data", "reason": "none"}}, None),
        ({"monitoring": {"status": "ok", "reason": None, "alerts": []}}, "no angle outside"),
        (
            {"asymmetry": {"status": "ok", "reason": None, "differences": [
                {"metric": "knee_rom", "unit": "deg", "diff": 1.0, "real": False}]}},
            "no difference between sides",
        ),
        (
            {"asymmetry": {"status": "ok", "reason": None, "differences": [
                {"metric": "knee_rom", "unit": "deg", "diff": 50.0, "real": None}]}},
            None,
        ),
        (
            {"asymmetry": {"status": "ok", "reason": None, "differences": [
                {"metric": "hip_rom", "unit": "deg", "diff": 1.0, "real": False},
                {"metric": "knee_rom", "unit": "deg", "diff": 12.0, "real": None,
                 "reason": "near_far_bias"}]}},
            None,
        ),
        (
            {"progress": {"status": "ok", "reason": None, "changes": [
                {"metric": "knee_rom", "side": None, "unit": "deg", "delta": 1.0,
                 "verdict": "no_detectable_change"}]}},
            "no change since the earlier result",
        ),
    ],
    ids=["nothing", "too-little", "rules", "sides", "not-judged", "a-nearer-side", "progress"],
)  # fmt: skip
def test_that_nothing_stands_out_is_said_only_of_what_was_judged(short, applications, says):
    found = page_of(short, lambda d: summary_of(d).update(applications=applications))
    assert ("What stands out" in found.text) == (says is not None)
    assert f"Nothing: {says}" in found.text if says else "Nothing" not in found.text


@pytest.mark.parametrize(
    ("points", "titles"),
    [
        (squatting(20), ["Knee", "Hip", "Shoulder", "Elbow", "Trunk lean, + forward"]),
        (
            np.tile(FIGURE, (20, 1, 1)),
            ["Knee", "Knee in the frontal", "Trunk lean, + to", "Tilt of the hips",
             "Tilt of the shoulders", "Elbow"],
        ),
        (FIGURE[None], ["Knee", "Knee in the frontal", "Trunk lean, + to", "Tilt of the hips",
                        "Tilt of the shoulders", "Elbow"]),
    ],
    ids=["sagittal", "frontal", "one-picture"],
)  # fmt: skip
def test_the_angles_shown_are_those_of_the_view(points, titles):
    found = [chart.title for chart in report_of(read_result(saved(points)), "t").charts]
    assert len(found) == len(titles)
    assert all(a.startswith(b) for a, b in zip(found, titles, strict=True))


def test_no_more_is_told_than_a_page_has_room_for(short):
    notices = [{"code": "c", "detail": f"notice {i}"} for i in range(30)]
    report = report_of(read_result(edited(short, lambda d: d.update(warnings=notices))), "t" * 999)
    assert len(report.warnings) == 9
    assert report.warnings[-1].startswith("And ")
    assert len(report.title) == 300


def test_the_page_states_facts_limits_warnings_and_events(squat):
    def change(document):
        reps = [{"t_peak_s": 0.75}, {"t_peak_s": 2.25}]
        summary_of(document).update(
            reps=reps, gait=None, flags=["scale_drift"], sigma_calibrated=False
        )
        summary_of(document)["applications"]["technique"] = {
            "status": "not_comparable", "reason": "view: sagittal and frontal"
        }  # fmt: skip
        document["warnings"] = [{"code": "x", "detail": "the camera moved"}]

    found = page_of(squat, change)
    for text in (
        "squats",
        "120 of 120 frames",
        "sagittal",
        "1.80 m",
        "6 Hz",
        "RTMPose-Medium",
        "Against the reference",
        "not comparable: view: sagittal and frontal",
        "peak of a repetition",
        "The camera moved",
        "apparent size changes",
        "is not calibrated",
        *LIMITS,
        f"definitions {DEFINITIONS}",
    ):
        assert text in found.text, text
    marks = [attrs for tag, attrs in found.tags if attrs.get("class") == "mark both"]
    charts = [attrs for tag, attrs in found.tags if tag == "svg"]
    assert len(marks) == 2 * len(charts) == 10
    assert "@media print" in found.html
    assert "size: A4" in found.html


def test_calibrated_intervals_are_not_called_uncalibrated(squat):
    body = saved(squatting(8), calibrated=True)
    assert "calibrated" not in page_of(body).text


def poisoned(document):
    document["warnings"] = [{"code": HOSTILE, "detail": HOSTILE}]
    document["video_url"] = HOSTILE
    document["data"]["processing_summary"]["models_used"] = {HOSTILE: 1}
    summary = summary_of(document)
    summary.update(
        movement=HOSTILE[:32],
        view=HOSTILE[:32],
        definitions=HOSTILE[:32],
        flags=[HOSTILE[:64]],
        quality=[{"detail": HOSTILE, "share": 0.5}],
        measures=[{**MEASURES[0], "unit": HOSTILE[:16]}],
    )
    summary["applications"]["monitoring"] = {
        "status": "ok",
        "reason": HOSTILE,
        "alerts": [{"text": HOSTILE, "note": HOSTILE, "side": None}],
    }


def test_hostile_text_stays_text(short):
    found = page_of(short, poisoned)
    assert "<script" not in found.html
    assert "<img" not in found.html
    assert "49" not in found.text.split("Angles over time")[0]
    assert found.text.count("alert(1)") >= 5
    assert {tag for tag, _ in found.tags}.isdisjoint({"script", "img", "iframe", "object", "link"})
    assert not [name for _, attrs in found.tags for name in attrs if name.startswith("on")]


def test_the_page_needs_nothing_beside_itself(short):
    found = page_of(short)
    assert "http" not in found.html.replace("http-equiv", "")
    policy = next(a["content"] for t, a in found.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert not [a for _, a in found.tags if a.get("src") or a.get("href")]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(measures=[{**MEASURES[0], "mean": float("inf")}]),
        lambda s: s.update(measures=[{**MEASURES[0], "n": 0}]),
        lambda s: s.update(reps=[{"t_peak_s": "soon"}]),
        lambda s: s.update(joints={"<b>": {}}),
        lambda s: s.update(applications={"monitoring": 3}),
        lambda s: s.update(quality=[{"detail": "x" * 5000, "share": 0.1}]),
    ],
)
def test_a_broken_summary_is_refused(short, change):
    result = read_result(edited(short, lambda d: change(summary_of(d))))
    with pytest.raises(BadParameterError, match="not a result of the service"):
        report_of(result, "t")


def test_key_frames_are_pictures_of_the_moments(squat_video):
    result = read_result(saved(squatting(90)))
    pictures = key_frames(result, result.person(), (), squat_video)
    assert len(pictures) == 6
    for picture in pictures:
        head, body = picture.source.split(",")
        assert head == "data:image/jpeg;base64"
        image = cv2.imdecode(np.frombuffer(base64.b64decode(body), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[0] <= 300
        assert image.std() > 10
    assert [p.caption for p in pictures] == sorted(p.caption for p in pictures)


def test_moments_are_those_of_events_where_there_are_enough():
    result = read_result(saved(squatting(90)))
    person = result.person()
    at = [Mark(t, t, "contact", "left") for t in (0.5, 1.0, 1.5, 2.0)] + [Mark(9, 9, "contact")]
    assert moments(result, person, at) == [15, 30, 45, 60]
    assert len(moments(result, person, at[:2])) == 6


def test_a_video_that_is_none_is_refused(short, tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(BadParameterError, match="cannot be read as a video"):
        report_of(read_result(short), "t", path)


def test_the_command_writes_one_file(squat_video, tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(saved(squatting(90)))
    done = CliRunner().invoke(main, ["report", str(path), "--video", str(squat_video)])
    assert done.exit_code == 0, done.output
    html = (tmp_path / "run.report.html").read_text()
    assert html.count("data:image/jpeg;base64,") == 6
    assert "<title>run</title>" in html
    again = CliRunner().invoke(
        main, ["report", str(path), "--out", str(tmp_path / "x.html"), "--person", "4"]
    )
    assert again.exit_code == 2
    assert "there is no person 4" in again.stderr
