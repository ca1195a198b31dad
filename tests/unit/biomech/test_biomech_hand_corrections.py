"""Points and events that somebody set by hand."""

from dataclasses import replace

import numpy as np
import pytest

from biomech.analysis import Result, analyze_person
from biomech.config import Context
from biomech.events.event_edits import NO_EDITS, EventEdits
from biomech.kinematics.geometry import derotated
from biomech.kinematics.uncertainty import oks_sigma
from biomech.preprocessing.preprocess import preprocess
from biomech.results.person_summary import SummaryInputs
from biomech.skeleton import INDEX
from biomech.track import HandPoints
from tests.support.moving_figure import walk
from tests.support.stick_figure import FIGURE, from_the_side, seen

KNEE = INDEX["left_knee"]
CONFIG = Context().config(0.3)


def analyzed(track, edits=NO_EDITS) -> Result:
    return analyze_person(track, SummaryInputs(CONFIG, edits=edits))


def by_hand(track, placed=(), hidden=()):
    xy, mark = np.full(track.xy.shape, np.nan), np.zeros(track.score.shape, bool)
    for frame, point, at in placed:
        xy[frame, point] = at
    for frame, point in hidden:
        mark[frame, point] = True
    return replace(track, by_hand=HandPoints(xy, mark))


def values(result):
    return {name: np.asarray(angle.value) for name, angle in result.angles.items()}


def same(a, b):
    return all(np.array_equal(a[name], b[name], equal_nan=True) for name in a)


def test_no_point_by_hand_changes_nothing():
    track = seen(FIGURE, sigma=1.0)
    assert same(values(analyzed(track)), values(analyzed(by_hand(track))))


def test_the_angle_of_a_picture_is_that_of_the_placed_point():
    moved = FIGURE.copy()
    moved[KNEE] += (25, -10)
    track = by_hand(seen(FIGURE, sigma=1.0), placed=[(0, KNEE, moved[KNEE])])
    assert same(values(analyzed(track)), values(analyzed(seen(moved, sigma=1.0))))
    points = analyzed(track).metrics.points
    assert points.sigma[0, KNEE] == pytest.approx(oks_sigma(track.box)[0, KNEE])
    assert not points.from_model[0, KNEE]


def test_a_placed_point_needs_no_confidence_and_is_no_outlier():
    t = np.arange(90) / 30
    xy = from_the_side(knee=30 + 25 * np.sin(2 * np.pi * 0.5 * t))
    score = np.full((90, 17), 0.9)
    score[40, KNEE] = 0.05
    track = seen(xy, times_s=t, sigma=1.0, score=score)
    assert analyzed(track).metrics.points.gated.reason[40, KNEE] == "low_confidence"
    points = analyzed(by_hand(track, placed=[(40, KNEE, xy[40, KNEE] + 60)])).metrics.points
    assert points.gated.reason[40, KNEE] == ""
    assert points.raw[40, KNEE] == pytest.approx(xy[40, KNEE] + 60)


def test_a_placed_point_keeps_its_side_where_sides_are_repaired():
    t = np.arange(90) / 30
    xy = walk(t).xy
    swapped = xy.copy()
    pairs = [[INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle", "shoulder")]
             for side in ("left", "right")]  # fmt: skip
    swapped[40:43, pairs[0] + pairs[1]] = xy[40:43, pairs[1] + pairs[0]]
    track = seen(swapped, times_s=t, sigma=1.0)
    assert analyzed(track).metrics.points.swapped()[41]
    points = analyzed(by_hand(track, placed=[(41, KNEE, xy[41, KNEE])])).metrics.points
    knees = [KNEE, INDEX["right_knee"]]
    assert points.raw[41, knees] == pytest.approx(xy[41, knees])


def test_a_placed_point_turns_with_the_camera():
    track = by_hand(seen(FIGURE, sigma=1.0), placed=[(0, KNEE, (300.0, 410.0))])
    points = preprocess(track, CONFIG, 20.0)
    turned = derotated(np.array([[300.0, 410.0]]), 20.0, track.center)
    assert points.raw[0, KNEE] == pytest.approx(turned[0])


def test_a_hidden_point_is_missing_with_its_reason():
    track = by_hand(seen(FIGURE, sigma=1.0), hidden=[(0, KNEE)])
    result = analyzed(track)
    assert np.isnan(result.angles["left_knee"].value[0])
    assert result.angles["left_knee"].reason[0] == "hidden_by_hand"


@pytest.fixture(scope="module")
def walker():
    t = np.arange(300) / 60
    return seen(walk(t, speed=60.0).xy, times_s=t, sigma=1.0, size=(1280, 640))


def contacts(result):
    return [e for e in result.gait.events if e.kind == "contact"]


def test_a_moved_contact_moves_the_numbers(walker):
    before = analyzed(walker)
    event = contacts(before)[2]
    edits = EventEdits(
        gait_removed=(("contact", event.side, event.frame),),
        gait_added=(("contact", event.side, event.frame + 6),),
    )
    after = analyzed(walker, edits)
    (moved,) = [e for e in after.gait.events if e.by_hand]
    assert (moved.frame, moved.side) == (event.frame + 6, event.side)
    assert moved.t_s == pytest.approx(walker.times_s[event.frame + 6], abs=1e-4)
    assert len(after.gait.events) == len(before.gait.events)
    others = [e for e in before.gait.events if e != event]
    assert [e for e in after.gait.events if not e.by_hand] == others

    def times(result):
        return {
            (m.metric, m.side): m.values
            for m in result.summary.measures
            if m.metric in ("stride_time", "step_time")
        }

    assert times(before)
    assert times(before) != times(after)


def test_a_removed_event_is_gone_and_an_added_one_extends_the_steps(walker):
    before = analyzed(walker)
    last = before.gait.events[-1]
    gone = analyzed(walker, EventEdits(gait_removed=((last.kind, last.side, last.frame),)))
    assert gone.gait.events == before.gait.events[:-1]
    added = analyzed(walker, EventEdits(gait_added=(("toe_off", "left", 297),)))
    assert added.gait.bouts[-1].t_end_s == pytest.approx(walker.times_s[297], abs=1e-4)
    everything = tuple((e.kind, e.side, e.frame) for e in before.gait.events)
    assert analyzed(walker, EventEdits(gait_removed=everything)).gait is None


def test_a_removed_event_is_the_nearest_one_within_a_tenth_of_a_second(walker):
    before = analyzed(walker)
    event = contacts(before)[1]
    near = analyzed(walker, EventEdits(gait_removed=(("contact", event.side, event.frame + 4),)))
    assert event not in near.gait.events
    far = analyzed(walker, EventEdits(gait_removed=(("contact", event.side, event.frame + 12),)))
    assert far.gait.events == before.gait.events
