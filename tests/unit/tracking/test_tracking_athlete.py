"""The primary person, by rule and by a point; ids that do not depend on the choice."""

import numpy as np
import pytest

from deployments.athlete_choice import AthletePoint
from deployments.errors import AthleteNotFoundError, BadParameterError
from deployments.tracking import tracks
from deployments.tracking.athlete import frame_of
from deployments.tracking.tracks import merge
from tests.support.simulated_people import Walker, cut, media, observe, shown_in, straight

INFO = media(151)
LARGE, LONG, CENTRAL, IN_ALL = range(4)
PEOPLE = [
    Walker(straight(300, 540, 0), 460, to_s=0.7),
    Walker(straight(1650, 800, 0), 120),
    Walker(straight(960, 540, 0), 140, from_s=3.8),
    Walker(straight(600, 540, 0), 330, to_s=4.6),
]
RULES = {"prominent": IN_ALL, "largest": LARGE, "longest": LONG, "center": CENTRAL}


@pytest.fixture(scope="module")
def seen():
    return observe(PEOPLE, INFO)


def who(clip, p):
    frame = int(np.flatnonzero(clip.present[:, p])[0])
    return shown_in(clip.keypoints[clip.row[frame, p]], PEOPLE, clip.times_s[frame])


def ids(clip):
    return {who(clip, p): int(number) for p, number in enumerate(clip.track_id)}


@pytest.mark.parametrize("at", [(), (40,), (12, 60, 100, 140)])
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_chooses_its_person_however_the_video_is_cut(seen, rule, at):
    clip = merge(cut(seen, list(at)) if at else [seen], INFO, rule)
    assert who(clip, 0) == RULES[rule]
    assert ids(clip) == ids(merge([seen], INFO))
    assert clip.track_id.tolist()[1:] == sorted(clip.track_id.tolist()[1:])


@pytest.mark.parametrize("person", range(4))
@pytest.mark.parametrize("by_time", [False, True])
def test_the_one_at_a_point_is_chosen(seen, person, by_time):
    frame = 130 if person == CENTRAL else 15
    x, y = PEOPLE[person].path(frame / 30)
    point = AthletePoint(x, y, time_s=frame / 30) if by_time else AthletePoint(x, y, frame)
    clip = merge([seen], INFO, point)
    assert who(clip, 0) == person
    assert ids(clip) == ids(merge([seen], INFO))


def test_of_two_boxes_at_a_point_the_nearer_keypoints_count():
    walkers = [Walker(straight(900, 540, 0), 300), Walker(straight(990, 540, 0), 300)]
    clips = [merge([observe(walkers, INFO)], INFO, AthletePoint(x, 540, 60)) for x in (905, 985)]
    found = [shown_in(clip.keypoints[clip.row[60, 0]], walkers, 2.0) for clip in clips]
    assert found == [0, 1]


def test_a_point_with_nobody_names_those_who_are_there(seen):
    with pytest.raises(AthleteNotFoundError, match=r"nobody was found at \(1200, 300\)") as caught:
        merge([seen], INFO, AthletePoint(1200, 300, 15))
    boxes = {person["track_id"]: person["box"] for person in caught.value.facts["people"]}
    numbers = ids(merge([seen], INFO))
    assert boxes.keys() == {numbers[LARGE], numbers[LONG], numbers[IN_ALL]}
    assert boxes[numbers[LARGE]] == pytest.approx(PEOPLE[LARGE].box(0.5), abs=20)


@pytest.mark.parametrize(
    ("point", "says"),
    [
        (AthletePoint(1920, 5, 3), "outside the upright picture of 1920x1080"),
        (AthletePoint(5, 1080, 3), "outside the upright picture of 1920x1080"),
        (AthletePoint(5, 5, 151), "frame 151 is not among frames 0 to 150"),
        (AthletePoint(5, 5, time_s=5.2), "5.2 s is outside 0 to 5 s"),
    ],
)
def test_a_point_that_is_not_analyzed_is_refused(point, says):
    with pytest.raises(BadParameterError, match=says):
        frame_of(point, INFO)


def test_who_was_chosen_stays_where_only_some_people_are_kept(seen, monkeypatch):
    monkeypatch.setattr(tracks, "_MOST_CELLS", 2 * INFO.frame_count)
    clip = merge([seen], INFO, "longest")
    assert [who(clip, p) for p in range(2)] == [LONG, IN_ALL]
    assert clip.left_out == 2


def test_a_video_of_nobody_has_no_primary_person():
    empty = observe([], INFO)
    assert merge([empty], INFO, "center").track_id.size == 0
    with pytest.raises(AthleteNotFoundError, match="0 people were found elsewhere"):
        merge([empty], INFO, AthletePoint(5, 5))
