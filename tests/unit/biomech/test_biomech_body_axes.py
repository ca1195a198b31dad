"""Body axes: what a turned, mirrored, slowed or reversed picture must leave (F4, F5, F16, V2)."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.geometry import fppa
from biomech.kinematics.person_metrics import person_metrics
from biomech.kinematics.view import view_of
from biomech.results.frame_blocks import frame_blocks
from biomech.results.person_summary import SummaryInputs, summary
from biomech.skeleton import INDEX, KEYPOINTS, MIRROR, SIDES
from deployments.biomechanics.guideline_files import load_guidelines
from serve_app.settings import ROOT
from tests.support.moving_figure import walk
from tests.support.plain import in_json, plain
from tests.support.stick_figure import FIGURE, from_the_side, rotated, seen, without

summary = in_json(summary)

CONFIG = BiomechanicsConfig()
SIZE = (4000, 4000)
MIDDLE = (2000.0, 2000.0)
FACE = tuple(name for name in KEYPOINTS if INDEX[name] < 5)
GUIDELINES = load_guidelines(rules=ROOT / "config" / "rules.yaml")
JOINTS = ("knee", "hip", "shoulder", "elbow")
TURNS = st.floats(-180, 180)


def measured(xy, fps=30.0, **track):
    """Metrics of points (f, 17, 2) about the origin of the figures, put in a large picture."""
    track = seen(xy, times_s=np.arange(len(xy)) / fps, size=SIZE, **{"sigma": 1.0} | track)
    return person_metrics(track, CONFIG)


def told(metrics):
    """ClipEvents, and summary as the service makes it."""
    done = clip_events_of(metrics, CONFIG, "auto")
    return done, summary(1, metrics, done, SummaryInputs(CONFIG, guidelines=GUIDELINES, model="m"))


def alerts(metrics):
    return told(metrics)[1]["applications"]["monitoring"]["alerts"]


def placed(xy):
    return np.asarray(xy) - [320.0, 300.0] + MIDDLE


def push_ups(times_s, turn=90.0, facing=1):
    """Face down, one every two seconds, elbows from straight to a right angle."""
    bent = 45 - 45 * np.cos(np.pi * times_s)
    upright = from_the_side(facing=facing, shoulder=80 - 0.6 * bent, elbow=bent)
    return rotated(placed(upright), facing * turn, MIDDLE)


def hidden(frames, *names):
    """Scores (f, 17): those of some names low."""
    score = np.full((frames, 17), 0.9)
    score[:, [INDEX[name] for name in names]] = 0.1
    return score


def of_side(side):
    return [name for name in KEYPOINTS if name.startswith(side)]


@cache
def moving():
    """Two seconds of a crouch with arms that go along, both sides a little apart."""
    t = np.arange(61) / 30
    k = 55 - 50 * np.cos(np.pi * t)
    side = from_the_side(
        knee=(k, 0.8 * k), hip=(0.9 * k, 0.7 * k), lean=0.3 * k, shoulder=(k, 20 + k), elbow=30.0
    )
    front = np.stack([FIGURE] * len(t)) + np.sin(np.pi * t)[:, None, None]
    return {"side": placed(side), "front": placed(front)}


@pytest.mark.parametrize("kind", ["side", "front"])
@settings(deadline=None, max_examples=15)
@given(turn=TURNS)
def test_turning_the_picture_changes_neither_flexions_nor_view_nor_facing(kind, turn):
    """(F4) Also of who lies, or stands on the hands."""
    xy = moving()[kind]
    before, after = measured(xy), measured(rotated(xy, turn, MIDDLE))
    assert after.view.kind.tolist() == before.view.kind.tolist()
    assert after.view.ratio == pytest.approx(before.view.ratio, abs=1e-6)
    assert after.view.facing.tolist() == before.view.facing.tolist()
    assert after.view.to_camera.tolist() == before.view.to_camera.tolist()
    pairs = [(before.joint_angles, after.joint_angles), (before.included, after.included)]
    for plane in ("sagittal", "frontal"):
        a, b = getattr(before, plane), getattr(after, plane)
        relative = [name for name in a if not name.startswith("trunk")]
        pairs.append(({n: a[n] for n in relative}, {n: b[n] for n in relative}))
    for a, b in pairs:
        for name in a:
            assert b[name].value == pytest.approx(a[name].value, abs=1e-6, nan_ok=True), name
            assert b[name].reason.tolist() == a[name].reason.tolist(), name


@settings(deadline=None, max_examples=10)
@given(turn=TURNS)
def test_the_trunk_stays_against_the_vertical(turn):
    xy = moving()["side"]
    before, after = (m.sagittal["trunk_lean"].value for m in map(measured, (
        xy, rotated(xy, turn, MIDDLE))))  # fmt: skip
    assert (after - before - turn + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", ["side", "front"])
@settings(deadline=None, max_examples=8)
@given(turn=TURNS)
def test_a_mirror_swaps_sides_and_turns_the_facing(kind, turn):
    xy = rotated(moving()[kind], turn, MIDDLE)
    before = measured(xy)
    after = measured((xy * [-1.0, 1.0] + [4000.0, 0.0])[:, MIRROR])
    assert after.view.kind.tolist() == before.view.kind.tolist()
    assert after.view.facing.tolist() == (-before.view.facing).tolist()
    assert after.view.to_camera.tolist() == before.view.to_camera.tolist()
    for plane in ("sagittal", "frontal"):
        a, b = getattr(before, plane), getattr(after, plane)
        for name in a:
            for side, other in (SIDES, SIDES[::-1]):
                if name.startswith(side):
                    mirrored = b[name.replace(side, other)].value
                    assert mirrored == pytest.approx(a[name].value, abs=1e-6, nan_ok=True)


@settings(deadline=None, max_examples=8)
@given(before=st.integers(0, 90), after=st.integers(0, 90), turn=TURNS)
def test_stillness_before_and_after_changes_neither_view_nor_facing(before, after, turn):
    xy = rotated(moving()["side"], turn, MIDDLE)
    still = np.concatenate([xy[:1].repeat(before, 0), xy, xy[-1:].repeat(after, 0)])
    alone, padded = measured(without(xy, *FACE)).view, measured(without(still, *FACE)).view
    assert set(alone.facing) == set(padded.facing) == {1.0}
    assert set(padded.kind) == {"sagittal"}


@pytest.mark.parametrize("shown", [(), FACE], ids=["face", "no face"])
@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_a_walk_played_backwards_faces_the_same_way(fps, facing, shown):
    """Travel tells nothing where the legs do: who walks backward has no knees that bend back."""
    t = np.arange(round(4 * fps)) / fps
    xy = walk(t, speed=250.0, facing=facing, start=(2000.0, 0.0)).xy
    for clip in (xy, xy[::-1]):
        metrics = measured(without(clip, *shown), fps)
        assert set(metrics.view.facing.tolist()) == {float(facing)}
        assert alerts(metrics) == []


def test_who_turns_round_faces_the_other_way_from_then_on():
    t = np.arange(240) / 60
    there, back = (walk(t, speed=150.0, facing=f, start=(2000.0, 0.0)).xy for f in (1, -1))
    facing = measured(np.concatenate([there, back + np.array([600.0, 0.0])]), 60.0).view.facing
    assert set(facing[:230]) == {1.0}
    assert set(facing[250:]) == {-1.0}


def test_a_look_over_the_shoulder_is_no_turn():
    xy = placed(np.stack([from_the_side(knee=4.0)] * 240))
    back = slice(90, 140)
    xy[back, INDEX["nose"]] -= [40.0, 0.0]
    assert set(measured(xy).view.facing) == {1.0}


def test_a_nose_that_is_off_to_either_side_for_as_long_tells_nothing():
    xy = placed(np.stack([from_the_side(knee=4.0)] * 60))
    xy[::2, INDEX["nose"]] -= [40.0, 0.0]
    assert set(view_of(np.arange(60) / 30, xy, CONFIG).facing) == {0.0}


@settings(deadline=None, max_examples=6)
@given(scale=st.floats(0.4, 2.0), turn=TURNS)
def test_the_size_changes_neither_view_nor_flexions(scale, turn):
    xy = rotated(moving()["side"], turn, MIDDLE)
    before = measured(xy, sigma=1.0)
    after = measured((xy - MIDDLE) * scale + MIDDLE, sigma=scale)
    assert after.view.kind.tolist() == before.view.kind.tolist()
    assert after.view.facing.tolist() == before.view.facing.tolist()
    assert after.size.stature_px == pytest.approx(scale * before.size.stature_px)
    for name, angle in before.sagittal.items():
        assert after.sagittal[name].value == pytest.approx(angle.value, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("fps", [30.0, 60.0])
@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize("turn", [60.0, 90.0, 110.0, 180.0])
def test_push_ups_have_no_hyperextension_and_are_counted(turn, facing, fps):
    """(F4) Lying face down at any slope, and upside down against a wall."""
    t = np.arange(round(20 * fps)) / fps
    xy = push_ups(t, turn, facing) + np.random.default_rng(0).normal(0, 1.5, (len(t), 17, 2))
    metrics = measured(xy, fps, sigma=2.0)
    done, summed = told(metrics)
    assert set(metrics.view.facing) == {float(facing)}
    assert done.repetitions.driver.endswith("elbow")
    assert len(done.repetitions.items) == 10
    assert summed["applications"]["monitoring"]["alerts"] == []
    assert summed["gait"] is None


@pytest.mark.parametrize(
    ("turn", "word"),
    [(0, "image_right"), (55, "image_right"), (90, "image_down"), (180, "image_left"),
     (-90, "image_up")],
)  # fmt: skip
def test_a_frame_says_where_the_front_points(turn, word):
    xy = rotated(placed(np.stack([from_the_side(knee=20.0)] * 15)), turn, MIDDLE)
    metrics = measured(xy)
    (detail,) = [plain(frame_blocks(metrics, metrics.points.track.present)[0].detail)]
    assert detail["view"]["facing"] == word


@pytest.mark.parametrize("turn", [0.0, 90.0, 180.0, -60.0])
@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize("knee", [-15.0, -20.0, -27.0])
def test_a_knee_that_bends_back_is_found_with_its_sign(knee, facing, turn):
    """(F5) The bulge does not vote against the face."""
    xy = np.stack([from_the_side(knee=(knee, 0.9 * knee), facing=facing)] * 90)
    metrics = measured(rotated(placed(xy), turn, MIDDLE))
    assert metrics.sagittal["left_knee_flexion"].value == pytest.approx(knee, abs=1e-6)
    found = {(a["rule"], a["side"]) for a in alerts(metrics)}
    assert found == {("knee_hyperextension", side) for side in SIDES}


@pytest.mark.parametrize("knee", [-27.0, -15.0, -3.0, 3.0, 15.0, 27.0])
def test_with_the_face_hidden_a_small_bend_has_no_sign(knee):
    """(F5) Null in doubt, rather than the wrong one; the angle itself stays."""
    xy = placed(np.stack([from_the_side(knee=knee)] * 90))
    metrics = measured(xy, score=hidden(90, *FACE))
    assert set(metrics.sagittal["left_knee_flexion"].reason) == {"facing_unknown"}
    assert metrics.joint_angles["left_knee"].value == pytest.approx(180 - abs(knee), abs=1e-6)
    assert alerts(metrics) == []


def test_stray_frames_of_a_bent_knee_do_not_make_a_facing():
    xy = placed(np.stack([without(from_the_side(knee=-15.0), *FACE)] * 90))
    xy[40] = placed(without(from_the_side(knee=-40.0), *FACE))
    assert set(view_of(np.arange(90) / 30, xy, CONFIG).facing) == {0.0}


@pytest.mark.parametrize("far", SIDES)
@pytest.mark.parametrize("lost", ["whole side", "arm and hip", "arm", "shoulder"])
@pytest.mark.parametrize("turn", [0.0, 90.0])
def test_the_near_side_carries_the_clip(turn, lost, far):
    """(F16) The far side is hidden in every frame."""
    near = SIDES[1 - SIDES.index(far)]
    t = np.arange(300) / 30
    k = 50 - 50 * np.cos(np.pi * t)  # five crouches
    facing = 1 if near == "right" else -1
    side = from_the_side(facing=facing, knee=k, hip=0.9 * k, lean=0.3 * k, elbow=20.0)
    xy = rotated(placed(side), turn, MIDDLE)
    names = {
        "whole side": of_side(far),
        "arm and hip": [f"{far}_{part}" for part in ("shoulder", "elbow", "wrist", "hip")],
        "arm": [f"{far}_{part}" for part in ("shoulder", "elbow", "wrist")],
        "shoulder": [f"{far}_shoulder"],
    }[lost]
    metrics = measured(xy, score=hidden(300, *names))
    done, summed = told(metrics)
    assert summed["view"] == "sagittal"
    assert metrics.flags["view_inferred"].all()
    assert metrics.near_side == near
    assert set(metrics.view.facing) == {float(facing)}
    assert summed["stature_px"] == pytest.approx(320 / 0.779, rel=1e-3)
    assert len(done.repetitions.items) == 5
    whole = measured(xy)
    for joint in JOINTS:
        own, truth = (m.sagittal[f"{near}_{joint}_flexion"].value for m in (metrics, whole))
        assert own == pytest.approx(truth, abs=1.0)  # the shoulders are 4 px apart
        assert summed["joints"][f"{near}_{joint}"]["reason"] is None
    gone = metrics.sagittal[f"{far}_shoulder_flexion"]
    assert set(gone.reason) == {"low_confidence"}
    assert summed["joints"][f"{far}_shoulder"]["max"] is None
    assert summed["joints"][f"{far}_shoulder"]["reason"]


@pytest.mark.parametrize(
    "change",
    [
        lambda xy: without(xy, "left_shoulder"),  # hips apart as from the front
        lambda xy: without(xy, "left_shoulder", "left_hip"),  # and ears
        lambda xy: without(xy, "left_shoulder", "right_hip", "left_ear"),  # no side clearly seen
        lambda xy: without(xy, "left_shoulder", "right_shoulder", "left_ear"),
    ],
)
def test_a_view_is_not_inferred_against_what_is_seen(change):
    view = view_of(np.arange(30) / 30, np.stack([change(FIGURE)] * 30), CONFIG)
    assert set(view.kind) == {""}
    assert not view.inferred.any()


def test_a_side_beyond_the_picture_is_not_hidden_by_the_body():
    half = np.stack([without(FIGURE, *of_side("left"))] * 30)
    outside = np.isnan(half).all(-1)
    assert set(view_of(np.arange(30) / 30, half, CONFIG).kind) == {"sagittal"}
    assert set(view_of(np.arange(30) / 30, half, CONFIG, outside).kind) == {""}


def test_what_hides_a_side_of_who_faces_the_camera_for_a_while_is_not_the_body():
    xy = np.stack([FIGURE] * 180)
    xy[60:120] = without(xy[60:120], *of_side("left"))
    view = view_of(np.arange(180) / 30, xy, CONFIG)
    assert set(view.kind) == {"frontal", ""}


@pytest.mark.parametrize("elbow", [-160.0, -40.0, 30.0])
@pytest.mark.parametrize("facing", [1, -1])
def test_an_elbow_has_no_sign_and_no_alert(facing, elbow):
    """(V2) An arm that turns about itself bends to the other side of the picture."""
    t = np.arange(120) / 30
    bent = elbow * (0.5 - 0.5 * np.cos(np.pi * t))
    metrics = measured(placed(from_the_side(facing=facing, elbow=bent, knee=20.0)))
    value = metrics.sagittal["left_elbow_flexion"].value
    assert np.nanmin(value) >= 0
    assert np.nanmax(value) == pytest.approx(abs(elbow), abs=3)
    _, summed = told(metrics)
    assert summed["joints"]["left_elbow"]["signed"] is False
    assert summed["joints"]["left_elbow"]["min"] >= 0
    assert summed["joints"]["left_knee"]["signed"] is True
    assert summed["applications"]["monitoring"]["alerts"] == []


@pytest.mark.parametrize(
    ("joint", "degrees", "value"),
    [
        ("knee", -160.0, None), ("knee", -35.0, None), ("knee", -25.0, -25.0),
        ("knee", 150.0, 150.0), ("knee", 172.0, None),
        ("hip", -100.0, None), ("hip", -60.0, -60.0), ("hip", 160.0, 160.0),
        ("shoulder", -80.0, -80.0), ("shoulder", -120.0, None), ("shoulder", 179.0, 179.0),
        ("shoulder", 200.0, 200.0), ("elbow", 172.0, None), ("elbow", -20.0, 20.0),
    ],
)  # fmt: skip
def test_what_no_joint_can_do_is_no_value(joint, degrees, value):
    """(V2) And an arm just beyond overhead is not one far behind the back."""
    usual = from_the_side(**{joint: (10.0, 10.0)})
    odd = from_the_side(**{joint: (degrees, 10.0)})
    xy = placed(np.stack([usual] * 60 + [odd] * 20))
    metrics = measured(xy)
    late = slice(70, 78)
    angle = metrics.sagittal[f"left_{joint}_flexion"]
    if value is None:
        assert set(angle.reason[late]) == {"beyond_joint_range"}
        done, _ = told(metrics)
        assert np.isnan(done.curves.flexion[f"left_{joint}"][late]).all()
    else:
        assert angle.value[late] == pytest.approx(value, abs=0.5)
    right = metrics.sagittal[f"right_{joint}_flexion"].value
    assert right == pytest.approx(10.0, abs=0.5)


@pytest.mark.parametrize("turn", [0.0, 90.0, 180.0, 250.0])
def test_the_knees_of_who_is_upside_down_go_in_where_they_go_in(turn):
    xy = rotated(FIGURE, turn)
    assert fppa("left", xy) == pytest.approx(-8.572998, abs=1e-6)
    assert fppa("right", xy) == pytest.approx(-14.649087, abs=1e-6)


@pytest.mark.parametrize("hip", [10.0, 70.0])
def test_who_pedals_lying_down_does_not_walk(hip):
    phase = 2 * np.pi * np.arange(180) / 30
    swing = 25 * np.sin(phase)
    knees = (60 - swing, 60 + swing)
    lying = from_the_side(hip=(hip + swing, hip - swing), knee=knees)
    _, summed = told(measured(rotated(placed(lying), -90.0, MIDDLE)))
    assert summed["gait"] is None
    assert summed["gait_reason"] is None
