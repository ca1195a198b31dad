"""Many people who come and go: the same identities as one track at a time, in linear work."""

from dataclasses import fields, replace

import numpy as np
import pytest

from deployments.messages import CropPoses, SegmentPoses
from deployments.tracking import links
from deployments.tracking.identity import resolve
from deployments.tracking.person_table import collect
from deployments.tracking.tracks import merge
from tests.support import plain_tracking
from tests.support.simulated_people import STANDING, media

PEOPLE, STRIDE, HEIGHT = 6, 4, 300.0


def steady(time_s, person, _rng):
    return 200 + person * 280 + 30 * np.sin(time_s + person), 540.0 + 0 * time_s


def anywhere(time_s, person, rng):
    places = rng.uniform([100, 200], [1800, 900], (time_s.max().astype(int) * 8 + 9, PEOPLE, 2))
    return places[(time_s * 30 / STRIDE + 1e-6).astype(int), person].T


def together(time_s, person, _rng):
    return 960 + person * 20 + 200 * np.sin(time_s / 2 + person), 540.0 + person * 10


def crossing(time_s, person, _rng):
    return 960 + 700 * np.sin(0.4 * time_s + 1.1 * person), 540.0 + 10 * person


def crowd(path, frames, track_frames=STRIDE, seed=0):
    """A segment whose tracks end after so many frames; a tenth of the rows is missed."""
    rng, info = np.random.default_rng(seed), media(frames)
    frame = np.repeat(np.arange(frames, dtype=np.int32), PEOPLE)
    person = np.tile(np.arange(PEOPLE), frames)
    places = np.stack(path(frame / 30, person, rng), axis=1)
    points = places[:, None] + STANDING * HEIGHT + rng.normal(0, 3, (len(frame), 17, 2))
    box = np.concatenate([points.min(axis=1) - 18, points.max(axis=1) + 18], axis=1)
    kept = rng.uniform(size=len(frame)) < 0.9
    count = np.count_nonzero(kept)
    segment = SegmentPoses(
        index=0,
        first_frame=0,
        decoded=np.ones(frames, bool),
        frame=frame[kept],
        tracklet=(person + PEOPLE * (frame // track_frames)).astype(np.int32)[kept],
        box=box.astype(np.float32)[kept],
        box_score=rng.uniform(0.5, 0.9, count).astype(np.float32),
        detected=(frame % STRIDE == 0)[kept],
        poses=CropPoses(
            points.astype(np.float32)[kept],
            *np.full((2, count, 17), 0.8, np.float32),
            np.full((count, 17, 2), 2.0, np.float32),
        ),
        blur=np.zeros(count, np.float32),
        model=np.zeros(count, np.int32),
        models=("Simulated",),
        closing_box=np.empty((0, 4), np.float32),
        closing_tracklet=np.empty(0, np.int32),
    )
    return segment, info


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("track_frames", [STRIDE, 26, 10**6])
@pytest.mark.parametrize("path", [steady, anywhere, together, crossing])
def test_identities_are_those_found_one_track_at_a_time(path, track_frames, seed):
    segment, info = crowd(path, 181, track_frames, seed)
    ours, plain = merge([segment], info), plain_tracking.merge([segment], info)
    for field in fields(ours):
        np.testing.assert_array_equal(
            getattr(ours, field.name), getattr(plain, field.name), field.name
        )


class Counted(np.ndarray):
    """An array that counts the elements that it and whatever is made of it take part with."""

    elements = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        def bare(values):
            if isinstance(values, tuple):
                return tuple(map(bare, values))
            return values.view(np.ndarray) if isinstance(values, Counted) else values

        options = {name: bare(value) for name, value in options.items()}
        Counted.elements += max(np.size(values) for values in inputs)
        made = getattr(ufunc, method)(*map(bare, inputs), **options)
        return made.view(Counted) if isinstance(made, np.ndarray) else made


def elements(frames):
    """Elements that finding the identities of a clip looks at."""
    segment, info = crowd(anywhere, frames)
    rows, track = collect([segment], info)
    names = ("frame", "time_s", "center", "size")
    counted = {name: getattr(rows, name).view(Counted) for name in names}
    Counted.elements = 0
    resolve(replace(rows, **counted), track.view(Counted))
    return Counted.elements


def test_work_grows_with_the_clip_not_with_rows_times_tracks():
    assert elements(1200) < 2.5 * elements(600)


@pytest.mark.parametrize("path", [steady, anywhere])
def test_links_settled_stretch_by_stretch_are_those_of_the_whole_clip(path, monkeypatch):
    segment, info = crowd(path, 1501)
    whole = merge([segment], info)
    monkeypatch.setattr(links, "_SETTLED", 1000)
    assert np.array_equal(merge([segment], info).row, whole.row)
