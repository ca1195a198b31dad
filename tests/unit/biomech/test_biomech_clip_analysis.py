"""The biomechanics stage: people of a clip that come and go, one picture, nobody, switched off."""

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest

from biomech.config import Camera, Context, EnabledOutputs, Subject
from biomech.records.frame_fields import FIELDS
from deployments.biomechanics import clip_analysis
from deployments.biomechanics.clip_analysis import track_of
from deployments.biomechanics.deployment import BiomechanicsReplica
from tests.support.clips import dense_clip
from tests.support.filmed_athlete import clip_of as filmed_clip
from tests.support.filmed_athlete import filmed
from tests.support.plain import plain
from tests.support.stick_figure import FIGURE, from_the_side, rotated


def analyze(*args, **options):
    """The stage, its records as plain JSON values."""
    made = clip_analysis.analyze(*args, **options)
    frames = [plain(list(column)) for column in made.frames]
    return replace(made, frames=frames, summary=plain(made.summary))


def clip_of(*people, frames=1, present=None, sigma=3.0, score=0.9):
    """A clip of people with (17, 2) or (f, 17, 2) points, there in the frames of ``present``."""
    shape = (frames, len(people))
    there = np.ones(shape, bool) if present is None else np.asarray(present)
    xy = np.empty((*shape, 17, 2), np.float32)
    for p, points in enumerate(people):
        xy[:, p] = points
    xy[~there] = np.nan
    box = np.concatenate([xy.min(2, initial=1e6), xy.max(2, initial=-1e6)], -1)
    return dense_clip(
        times_s=np.arange(frames) / 30.0,
        width=640,
        height=640,
        track_id=np.arange(1, len(people) + 1, dtype=np.int32),
        box=box.astype(np.float32),
        box_score=np.where(there, 0.9, np.nan).astype(np.float32),
        keypoints=xy,
        score=np.where(there[..., None], np.full((*shape, 17), score), np.nan).astype(np.float32),
        raw_score=np.full((*shape, 17), 0.9, np.float32),
        sigma=np.full(xy.shape, sigma, np.float32),
        model=np.where(there, 0, -1).astype(np.int32),
        models=("Simulated",),
        decoded=np.ones(frames, bool),
    )


def is_plain(result):
    """Whether the result is JSON as it is, without a NaN."""
    json.dumps(result.summary, allow_nan=False)
    frames = [list(column) for column in result.frames]
    return json.loads(json.dumps(frames, allow_nan=False)) == frames


def test_a_single_picture_gives_the_oracle():
    result = analyze(clip_of(FIGURE), 0.3)
    (obj,) = result.frames[0]
    assert obj["movement_analysis"] == {
        "pose_quality": 90.0,
        "stability_score": 99.729,
        "symmetry_index": 0.712,
        "athletic_readiness": 85.295,
    }
    assert obj["detail"]["components"]["stability_score"]["mode"] == "static"
    assert result.angles_deg[0] == pytest.approx(
        [85.236358, 165.323607, 171.427002, 165.350913, 21.801409, 21.801409], abs=1e-4
    )
    assert result.warnings == ()
    assert is_plain(result)


def test_people_come_and_go():
    frames = 12
    present = np.ones((frames, 3), bool)
    present[:4, 1] = present[8:, 1] = False
    present[3:, 2] = False
    side = from_the_side(knee=30.0, hip=10.0, at=(200.0, 350.0))
    result = analyze(clip_of(FIGURE, side, side + 50, frames=frames, present=present), 0.3)
    assert [[obj is not None for obj in column] for column in result.frames] == (present.T.tolist())
    assert np.array_equal(np.isfinite(result.angles_deg).all(1), present[:, 0])
    assert result.frames[1][5]["joint_angles"]["left_knee"] == pytest.approx(150, abs=1e-3)
    assert [told["person_id"] for told in result.summary] == [1, 2, 3]
    assert [told["view"] for told in result.summary] == ["frontal", "sagittal", "sagittal"]
    assert is_plain(result)


def test_a_person_is_judged_without_the_others():
    side = from_the_side(knee=30.0, hip=10.0)
    both, alone = (
        analyze(clip_of(FIGURE, side, frames=9), 0.3),
        analyze(clip_of(side, frames=9), 0.3),
    )
    assert list(both.frames[1]) == list(alone.frames[0])
    assert both.summary[1] | {"person_id": 1, "quality": []} == alone.summary[0]


def test_nobody_in_the_clip_is_an_empty_result():
    result = analyze(clip_of(frames=5), 0.3)
    assert result.frames == []
    assert result.summary == []
    assert result.angles_deg.shape == (5, 6)


def test_someone_of_whom_nothing_is_seen_is_null_for_that_reason():
    result = analyze(clip_of(FIGURE, frames=3, score=0.1), 0.3)
    for obj in result.frames[0]:
        assert obj["movement_analysis"]["pose_quality"] == 0.0
        fields = {n for names in FIELDS.values() for n in names} - {"pose_quality"}
        reasons = obj["detail"]["nulls"]
        assert {reasons[name] for name in fields} == {"low_confidence"}
    assert is_plain(result)


def test_the_threshold_decides_what_is_missing():
    clip = clip_of(FIGURE, score=0.5)
    assert analyze(clip, 0.5).frames[0][0]["joint_angles"]["left_knee"] is not None
    assert analyze(clip, 0.51).frames[0][0]["joint_angles"]["left_knee"] is None


@pytest.mark.parametrize("threshold", [-0.1, float("nan")])
def test_a_wrong_threshold_is_refused(threshold):
    with pytest.raises(ValueError, match="min_score"):
        analyze(clip_of(FIGURE), threshold)


def test_what_is_known_of_the_subject_is_of_the_primary_person():
    result = analyze(
        clip_of(FIGURE, FIGURE + 5, frames=2), 0.3, context=Context(subject=Subject(height_m=1.8))
    )
    assert [told["height_m"] for told in result.summary] == [1.8, None]


def test_a_known_roll_is_taken_out_of_angles_and_not_of_keypoints():
    clip = clip_of(rotated(FIGURE, 10.0, about=(319.5, 319.5)))
    level = analyze(clip_of(FIGURE), 0.3).frames[0][0]
    rolled = analyze(clip, 0.3, context=Context(camera=Camera(roll_deg=10.0)))
    (obj,) = rolled.frames[0]
    assert obj["body_alignment"] == pytest.approx(level["body_alignment"], abs=2e-3)
    assert obj["detail"]["flags"] == ["unsmoothed"]
    assert rolled.summary[0]["flags"] == []
    assert rolled.summary[0]["camera"] == {
        "roll_deg": 10.0, "roll_source": "request", "slowmo_factor": 1.0,
    }  # fmt: skip
    assumed = analyze(clip, 0.3)
    assert assumed.frames[0][0]["body_alignment"]["spine_angle"] == pytest.approx(10, abs=1e-3)
    assert assumed.summary[0]["flags"] == ["roll_assumed_level"]
    # A known roll leaves less doubt in what is measured against the vertical.
    low, high = obj["detail"]["ci95"]["spine_angle"]
    wide_low, wide_high = level["detail"]["ci95"]["spine_angle"]
    assert high - low < wide_high - wide_low


def test_slow_motion_is_seen_in_the_time_of_the_world():
    clip = clip_of(FIGURE, frames=40)
    slowed = analyze(clip, 0.3, context=Context(camera=Camera(slowmo_factor=4.0))).summary[0]
    assert slowed["filter"]["fs_hz"] == pytest.approx(120.0)
    assert analyze(clip, 0.3).summary[0]["filter"]["fs_hz"] == pytest.approx(30.0)


def test_a_movement_is_filtered_as_it_needs():
    clip = clip_of(FIGURE, frames=40)
    told = [
        analyze(clip, 0.3, context=context).summary[0]
        for context in (Context("run"), Context("run", cutoff_hz=5.0), Context("throw"))
    ]
    assert [s["filter"]["cutoff_hz"] for s in told] == [10.0, 5.0, 12.0]
    assert [s["movement"] for s in told] == ["run", "run", "throw"]


def test_switched_off_everything_is_null_with_the_reason():
    present = np.array([[True, False], [True, True]])
    result = analyze(clip_of(FIGURE, FIGURE, frames=2, present=present), 0.3, enabled=False)
    assert [[obj is not None for obj in column] for column in result.frames] == present.T.tolist()
    obj = result.frames[0][0]
    assert {v for name in FIELDS for v in obj[name].values()} == {None}
    assert set(obj["detail"]["nulls"].values()) == {"disabled"}
    assert np.isnan(result.angles_deg).all()
    assert [code for code, _ in result.warnings] == ["biomechanics_disabled"]
    assert [told["reason"] for told in result.summary] == ["disabled", "disabled"]
    assert is_plain(result)


def test_parts_left_out_are_null_and_not_drawn():
    result = analyze(clip_of(FIGURE), 0.3, parts=EnabledOutputs(joint_angle_analysis=False))
    obj = result.frames[0][0]
    assert set(obj["joint_angles"].values()) == set(obj["body_alignment"].values()) == {None}
    assert obj["movement_analysis"]["symmetry_index"] == 0.712
    assert np.isnan(result.angles_deg).all()
    assert is_plain(result)


@pytest.mark.parametrize(
    ("arguments", "angle", "stability"),
    [
        ((True,), 171.427, 99.729),
        ((True, EnabledOutputs(stability_assessment=False)), 171.427, None),
        ((False,), None, None),
    ],
    ids=["on", "without stability", "off"],
)
def test_a_replica_gives_what_it_was_made_for(arguments, angle, stability):
    result = asyncio.run(BiomechanicsReplica(*arguments).analyze(clip_of(FIGURE), 0.3))
    obj = plain(result.frames[0][0])
    assert obj["joint_angles"]["left_knee"] == angle
    assert obj["movement_analysis"]["stability_score"] == stability


def test_read_only_arrays_of_the_object_store_will_do():
    clip = clip_of(FIGURE, from_the_side(), frames=5, present=np.arange(10).reshape(5, 2) % 3 > 0)
    for name in ("keypoints", "score", "sigma", "box", "model", "times_s"):
        getattr(clip, name).flags.writeable = False
    assert is_plain(analyze(clip, 0.3))


def test_a_track_is_nan_where_the_person_is_absent():
    present = np.array([[True], [False], [True], [True]])
    clip = clip_of(FIGURE, frames=4, present=present, sigma=2.0)
    track = track_of(clip, 0, slice(0, 3))
    assert track.present.tolist() == [True, False, True]
    for values in (track.xy, track.score, track.sigma, track.box):
        assert values.dtype == np.float64
        assert np.isnan(values[1]).all()
        assert np.isfinite(values[[0, 2]]).all()


def later(told, frames):
    """What is told, with so many frames added to every number of a frame."""
    if isinstance(told, list):
        return [later(part, frames) for part in told]
    if not isinstance(told, dict):
        return told
    return {
        key: (np.array(value, int) + frames).tolist()
        if key in ("frame", "frames")
        else later(value, frames)
        for key, value in told.items()
    }


@pytest.mark.parametrize("movement", ["squat", "gait", "jump", "cautions"])
def test_how_long_the_clip_goes_on_without_somebody_changes_nothing_of_them(movement):
    before, after = 37, 61
    _, track, _ = filmed("squat" if movement == "cautions" else movement, seconds=4.0)
    if movement == "cautions":
        track = replace(track, blur=np.full(len(track.times_s), 0.9))
    alone = filmed_clip(replace(track, times_s=track.times_s + before / 30))
    frames = before + len(track.times_s) + after
    row = np.full((frames, 1), -1, np.int32)
    row[before:-after] = alone.row
    longer = replace(alone, times_s=np.arange(frames) / 30, row=row, decoded=np.ones(frames, bool))
    short, long = analyze(alone, 0.3), analyze(longer, 0.3)
    assert any(short.summary[0][name] for name in ("reps", "gait", "jumps"))
    # Thirty frames a second are few for a jump.
    assert bool(short.summary[0]["quality"]) == (movement in {"cautions", "jump"})
    assert long.summary == later(short.summary, before)
    assert long.frames[0][before:-after] == list(short.frames[0])
    assert not any(long.frames[0][:before] + long.frames[0][-after:])
    for name in ("angles_deg", "primary_points"):
        values = getattr(long, name)
        assert np.array_equal(values[before:-after], getattr(short, name), equal_nan=True)
        assert np.isnan(values[:before]).all()
        assert np.isnan(values[-after:]).all()
