"""Clips of which a part is seen from the side, and the rest from an oblique view."""

import numpy as np
import pytest

from biomech.config import BiomechanicsConfig
from biomech.events.clip_events import clip_events_of
from biomech.kinematics.person_metrics import person_metrics
from biomech.skeleton import INDEX
from tests.support.filmed_athlete import summarised
from tests.support.moving_figure import squats
from tests.support.stick_figure import seen, turned_in_depth

SECONDS = 24.0
JOINTS = [f"{side}_{joint}" for side in ("left", "right") for joint in ("knee", "hip", "elbow")]


def turning(share_aside, yaw_deg=50.0, facing=1):
    """Squats of somebody who turns from the side to an oblique view after a share of the clip."""
    times = np.arange(round(SECONDS * 30)) / 30
    flat = squats(times, 1.0 + 3.0 * np.arange(7), facing=facing).xy
    depth = np.zeros(17)
    for name, index in INDEX.items():
        wide = {"shoulder": 45.0, "elbow": 45.0, "wrist": 45.0}.get(name.partition("_")[2], 25.0)
        side = name.partition("_")[0]
        depth[index] = {"left": -wide, "right": wide}.get(side, 0.0)
    middle = flat[:, [INDEX["left_hip"], INDEX["right_hip"]]].mean(1, keepdims=True)
    points = np.concatenate([flat - middle, np.broadcast_to(depth, flat.shape[:2])[..., None]], -1)
    aside = times < share_aside * SECONDS
    xy = np.where(aside[:, None, None], turned_in_depth(points, 0.0),
                  turned_in_depth(points, facing * yaw_deg))  # fmt: skip
    return seen(xy + middle, times_s=times, sigma=1.0, size=(900, 900))


@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize("share", [0.4, 0.58, 0.65])
def test_a_clip_that_turns_has_both_ranges_with_their_shares(share, facing):
    """(V1) All joints were null: signed angles cover 58 % of the clip, and 70 % were asked for."""
    told = summarised(turning(share, facing=facing))
    assert told["view"] == ("sagittal" if share > 0.5 else "oblique")
    for name in JOINTS:
        joint = told["joints"][name]
        assert joint["reason"] is None
        assert joint["rom"] is not None
        included, signed = joint["included"], joint["sagittal"]
        assert included["valid_fraction"] == pytest.approx(1.0, abs=0.02)
        assert signed["valid_fraction"] == pytest.approx(share, abs=0.06)
        assert included["reason"] is signed["reason"] is None
    knee = told["joints"]["left_knee"]
    assert knee["sagittal"]["max"] == pytest.approx(100.0, abs=3.0)
    assert knee["sagittal"]["min"] == pytest.approx(5.0, abs=3.0)
    assert knee["included"]["min"] == pytest.approx(80.0, abs=3.0)
    lean = told["joints"]["trunk_lean"]
    assert lean["included"] is None
    assert lean["sagittal"]["max"] == pytest.approx(35.0, abs=3.0)
    assert len(told["reps"]) == 7


def test_a_clip_from_the_side_has_one_range_twice():
    told = summarised(turning(1.0))
    for name in JOINTS:
        joint = told["joints"][name]
        assert joint["signed"] or name.endswith("elbow")
        assert joint["sagittal"]["max"] == pytest.approx(joint["max"], abs=1.0)
        assert joint["sagittal"]["valid_fraction"] == pytest.approx(1.0)


def test_a_clip_without_a_part_from_the_side_has_no_signed_range():
    told = summarised(turning(0.0))
    knee = told["joints"]["left_knee"]
    assert knee["rom"] is not None
    assert (knee["sagittal"]["max"], knee["sagittal"]["reason"]) == (None, "view_mismatch")
    assert knee["sagittal"]["valid_fraction"] == 0.0
    assert "trunk_lean" not in told["joints"]


def test_a_part_that_is_hidden_where_it_could_be_seen_is_null():
    track = turning(0.58)
    hidden = np.arange(len(track.xy)) % 45 < 25
    track.xy[hidden, INDEX["left_wrist"]] = np.nan
    elbow = summarised(track)["joints"]["left_elbow"]
    for part in (elbow["included"], elbow["sagittal"]):
        assert (part["rom"], part["reason"]) == (None, "low_coverage")


def test_signs_are_of_the_clip_only_where_most_of_it_is_from_the_side():
    for share, expected in ((0.58, False), (0.85, True)):
        metrics = person_metrics(turning(share), BiomechanicsConfig())
        assert clip_events_of(metrics, BiomechanicsConfig(), "auto").curves.signed is expected
