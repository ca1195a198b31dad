"""Where the camera stands, which way the person faces, and how tall they appear."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from biomech.config import BiomechanicsConfig
from biomech.kinematics.view import (
    apparent_size,
    classify,
    near_side,
    scale_drifts,
    stature_px,
    view_of,
)
from biomech.skeleton import INDEX
from tests.support.stick_figure import (
    FIGURE,
    from_the_side,
    mirrored,
    seen,
    turned_in_depth,
    without,
)

CONFIG = BiomechanicsConfig()
FACE = ("nose", "left_ear", "right_ear", "left_eye", "right_eye")


def view(xy, fps=30.0):
    """View of points (f, 17, 2), or of one picture."""
    xy = np.array(xy).reshape(-1, 17, 2)
    return view_of(np.arange(len(xy)) / fps, xy, CONFIG)


def broad():
    """The figure with shoulders as wide as the definition's model, in space."""
    xy = FIGURE.copy()
    xy[INDEX["left_shoulder"], 0] = 320 + 0.38 * 142
    xy[INDEX["right_shoulder"], 0] = 320 - 0.38 * 142
    return np.concatenate([xy, np.zeros((17, 1))], axis=1)


def test_oracle_ratio():
    assert view(FIGURE).ratio == pytest.approx(0.963677, abs=5e-7)
    assert view(FIGURE).kind.tolist() == ["frontal"]


@pytest.mark.parametrize(
    ("yaw", "kind"),
    [
        (0, "frontal"),
        (29, "frontal"),
        (31, "oblique"),
        (59, "oblique"),
        (61, "sagittal"),
        (90, "sagittal"),
    ],
)
def test_turning_about_the_vertical_is_the_yaw(yaw, kind):
    # A trunk that turns with the body keeps its length: the hips' midpoint is on the axis.
    body = broad()
    body[:, 0] -= 320.0
    turned = view(turned_in_depth(body, yaw))
    assert turned.yaw_deg == pytest.approx(yaw, abs=1e-5)
    assert turned.kind.tolist() == [kind]


@pytest.mark.parametrize(
    ("ratios", "kinds"),
    [
        ([0.87, 0.83, 0.81, 0.83], ["frontal", "frontal", "oblique", "oblique"]),
        ([0.5, 0.54, 0.56, 0.54], ["sagittal", "sagittal", "oblique", "oblique"]),
        ([0.6, 0.86, 0.87, 0.821], ["oblique", "oblique", "frontal", "frontal"]),
        ([0.6, 0.51, 0.5, 0.549], ["oblique", "oblique", "sagittal", "sagittal"]),
        ([0.9, 0.4, 0.9], ["frontal", "sagittal", "frontal"]),
        ([np.nan, 0.9, np.nan, 0.83], ["", "frontal", "", "frontal"]),
        ([], []),
    ],
    ids=[
        "leaving frontal",
        "leaving sagittal",
        "entering frontal",
        "entering sagittal",
        "through",
        "unseen",
        "empty",
    ],
)
def test_a_class_is_left_only_beyond_its_bound_by_the_hysteresis(ratios, kinds):
    assert classify(np.array(ratios, float), CONFIG).tolist() == kinds


@settings(deadline=None)
@given(arrays(np.float64, st.integers(0, 30), elements=st.floats(0, 1.5) | st.just(np.nan)))
def test_classes_are_right_to_within_the_hysteresis(ratio):
    kinds = classify(ratio, CONFIG)
    assert np.array_equal(kinds == "", np.isnan(ratio))
    assert (ratio[kinds == "frontal"] >= 0.82).all()
    assert (ratio[kinds == "sagittal"] <= 0.55).all()
    assert ((ratio[kinds == "oblique"] > 0.5) & (ratio[kinds == "oblique"] < 0.87)).all()


def test_one_odd_frame_does_not_change_the_view():
    xy = np.stack([FIGURE] * 21)
    xy[10, INDEX["left_shoulder"]] = xy[10, INDEX["right_shoulder"]]
    assert set(view(xy).kind.tolist()) == {"frontal"}


def test_the_view_of_a_clip_is_the_commonest():
    side = from_the_side(knee=20.0)
    clip = np.stack([FIGURE] * 40 + [side] * 90)
    assert view(clip).of_clip() == "sagittal"
    assert view(clip[:70]).of_clip() == "frontal"
    assert view(np.full((3, 17, 2), np.nan)).of_clip() is None


def test_unseen_shoulders_are_no_view():
    unseen = view(without(FIGURE, "left_shoulder"))
    assert unseen.kind.tolist() == [""]
    assert np.isnan(unseen.yaw_deg).all()
    assert unseen.facing.tolist() == unseen.to_camera.tolist() == [0.0]


def test_shoulders_unseen_for_a_moment_keep_the_view():
    xy = np.stack([FIGURE] * 60)
    xy[20:30, INDEX["left_shoulder"]] = np.nan
    assert set(view(xy).kind.tolist()) == {"frontal"}


@pytest.mark.parametrize(
    ("xy", "sign"), [(FIGURE, 1), (mirrored(FIGURE) * 1.0, 1)], ids=["as is", "mirrored"]
)
def test_facing_the_camera_the_left_is_at_the_image_right(xy, sign):
    assert view(xy).to_camera.tolist() == [sign]
    away = xy * [-1.0, 1.0] + [640.0, 0.0]  # seen from behind
    assert view(away).to_camera.tolist() == [-sign]


@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize(
    "seen_points",
    [(), FACE, ("left_knee", "left_ankle"), (*FACE, "right_ankle")],
    ids=["all", "no face", "no left leg", "one leg only"],
)
def test_seen_from_the_side_nose_and_knees_tell_the_facing(facing, seen_points):
    xy = without(from_the_side(facing=facing, hip=20.0, knee=40.0), *seen_points)
    assert view(xy).facing.tolist() == [facing]
    assert view(xy).to_camera.tolist() == [0.0]


@pytest.mark.parametrize(
    ("knee", "hip", "facing"),
    [(5, 0, 0), (-29, 0, 0), (29, 0, 0), (31, 0, 1), (0, -59, 0), (0, 59, 0), (0, 61, 1)],
)
def test_with_the_face_hidden_legs_tell_the_facing_where_they_cannot_bend_back(knee, hip, facing):
    """A knee overextended by 15 degrees is one bent by 15 to the other side (F5)."""
    xy = without(from_the_side(hip=hip, knee=knee), *FACE)
    assert view(xy).facing.tolist() == [facing]


@pytest.mark.parametrize(("speed", "facing"), [(200.0, 1.0), (-200.0, -1.0), (100.0, 0.0)])
def test_people_mostly_travel_forward(speed, facing):
    # Stature is 320/0.779 px: the bound of 0.3 H/s is 123 px/s.
    straight = without(from_the_side(), *FACE)
    steps = np.arange(31)[:, None, None] / 30.0 * [speed, 0.0]
    assert view(straight + steps).facing.tolist() == [facing] * 31


def test_two_votes_outweigh_one():
    # Walking backward: nose and knees tell forward, travel back.
    xy = from_the_side(facing=1, knee=30.0) - np.arange(31)[:, None, None] / 30.0 * [200.0, 0.0]
    assert view(xy).facing.tolist() == [1.0] * 31


def test_frontal_views_have_no_side_faced():
    assert view(FIGURE).facing.tolist() == [0.0]


def test_oracle_stature():
    assert stature_px(FIGURE[None]) == pytest.approx(436.639550, abs=5e-7)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.1, 20), st.floats(-300, 300))
def test_stature_is_proportional_to_the_picture(scale, shift):
    assert stature_px(FIGURE[None] * scale + shift) == pytest.approx(436.639550 * scale, rel=1e-8)


@pytest.mark.parametrize(
    ("lost", "known"),
    [
        (("left_knee",), True),
        (("left_knee", "left_ankle", "right_ankle"), False),
        (("left_knee", "right_knee"), False),
        (("left_shoulder",), False),
        ((*FACE, "left_wrist", "right_elbow"), True),
    ],
    ids=str,
)
def test_stature_needs_the_trunk_and_a_leg(lost, known):
    assert np.isfinite(stature_px(without(FIGURE, *lost)[None])) == known


def test_a_crouch_does_not_shrink_the_person():
    knees = np.concatenate([np.zeros(50), np.linspace(0, 120, 50)])
    upright = from_the_side(hip=knees * 0.8, knee=knees)
    assert stature_px(upright) == pytest.approx(320 / 0.779)


def test_a_segment_turned_out_of_the_picture_only_appears_shorter():
    xy = np.stack([FIGURE] * 100)
    xy[:90, INDEX["left_ankle"]] = xy[:90, INDEX["left_knee"]] + [0, 20]
    assert stature_px(xy) == pytest.approx(436.639550, abs=1e-6)


@pytest.mark.parametrize(
    ("hidden", "share", "side"),
    [
        (("right_shoulder",), 0.6, "left"),
        (("right_hip",), 0.6, "left"),
        (("left_hip",), 0.6, "right"),
        (("right_hip",), 0.4, None),
        ((), 0.0, None),
        (("left_hip", "right_hip"), 1.0, None),
    ],
    ids=str,
)
def test_the_near_side_stands_for_the_trunk_where_the_far_one_is_mostly_hidden(hidden, share, side):
    xy = np.stack([from_the_side(knee=20.0)] * 100)
    last = slice(100 - round(100 * share), 100)
    xy[last] = without(xy[last], *hidden)
    track = seen(xy)
    assert near_side(view(xy), xy, track.present, CONFIG) == side


def test_the_near_side_is_of_sagittal_tracks_only():
    xy = np.stack([without(FIGURE, "right_hip")] * 30)
    assert near_side(view(xy), xy, np.ones(30, bool), CONFIG) is None


def test_frames_without_the_person_do_not_hide_a_side():
    xy = np.stack([from_the_side(knee=20.0)] * 100)
    present = np.arange(100) < 40
    xy[~present] = np.nan
    assert near_side(view(xy), xy, present, CONFIG) is None


@pytest.mark.parametrize("growth", [1.0, 1.4, 4.0])
@pytest.mark.parametrize(
    ("xy", "kind"),
    [(FIGURE, "frontal"), (from_the_side(knee=20.0), "sagittal")],
    ids=["towards", "aside"],
)
def test_coming_nearer_changes_the_scale_and_not_the_view(growth, xy, kind):
    clip = xy * np.linspace(1, growth, 60)[:, None, None]
    assert set(view(clip).kind.tolist()) == {kind}
    assert scale_drifts(clip, CONFIG) == (growth > 2)


def test_bending_towards_the_camera_changes_neither():
    # The shoulders come down to the hips, as in a deadlift seen from the front.
    clip = np.stack([FIGURE] * 60)
    upper = [i for name, i in INDEX.items() if name.split("_")[-1] not in ("hip", "knee", "ankle")]
    clip[:, upper, 1] += np.linspace(0, 100, 60)[:, None]
    assert set(view(clip).kind.tolist()) == {"frontal"}
    assert not scale_drifts(clip, CONFIG)


def test_lifting_a_foot_is_no_drift_of_the_scale():
    knees = np.tile(np.linspace(0, 110, 30), 2)
    assert not scale_drifts(
        from_the_side(hip=(knees / 2, 0 * knees), knee=(knees, 0 * knees)), CONFIG
    )


def test_a_size_is_known_while_any_segment_is_seen():
    clip = np.stack([FIGURE, without(FIGURE, "left_hip"), np.full((17, 2), np.nan), FIGURE * 0.5])
    assert apparent_size(clip)[[0, 1, 3]] == pytest.approx([1.0, 1.0, 0.5], abs=0.05)
    assert np.isnan(apparent_size(clip)[2])


def test_nobody_drifts_nowhere():
    xy = np.full((5, 17, 2), np.nan)
    assert not scale_drifts(xy, CONFIG)
    assert np.isnan(stature_px(xy))
