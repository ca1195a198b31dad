"""Stages that find earlier results: what is asked again, and what is not."""

import asyncio
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from deployments.annotated_video import EncodedSegment, EncodeOptions, Overlay
from deployments.media_choice import Region
from deployments.messages import AnalysisOptions, ModelStatus
from deployments.pose.model_options import EngineOptions
from deployments.roles import ModelRole
from serve_app.jobs.content_key import digest_of, identity_of
from serve_app.jobs.resumable_stages import ResumableStages, Source
from serve_app.jobs.segment_store import SegmentStore
from serve_app.pipeline import Job, run
from tests.support.annotated import segment_of
from tests.support.made_up_segments import segment_poses

PRIMARY, FALLBACK, DETECTOR = ModelRole.PRIMARY, ModelRole.FALLBACK, ModelRole.DETECTOR
MODELS = {
    role: ModelStatus(role, True, key=role, name=name, checkpoint="a.pth", sha256="ab")
    for role, name in ((PRIMARY, "RTMPose"), (FALLBACK, "HRNet"), (DETECTOR, "RTMDet"))
}
BOTH = AnalysisOptions(pose_models=(PRIMARY, FALLBACK))
SEGMENT = segment_of(range(3), (64, 48))
OVERLAY = Overlay(
    np.zeros((3, 1, 17, 2), np.float32),
    np.zeros((3, 1, 17), np.float32),
    np.zeros((3, 1, 4), np.float32),
    np.zeros(1, np.int32),
    np.zeros((3, 6)),
    0.3,
)


class Nobody:
    def probed(self, media):
        pass

    def analyzed(self, frames):
        pass

    def entered(self, stage):
        pass


class Answering:
    """Stages whose pose models are ``models``, and whose videos are of ``encoder``."""

    def __init__(self):
        self.models, self.encoder, self.asked = ("RTMPose",), "libx264", []

    async def analyze(self, segment, options):
        self.asked.append(segment.index)
        return segment_poses(3, self.models)

    async def render(self, segment, overlay, folder, options):
        self.asked.append(segment.index)
        path = Path(folder, "segment-00000.nut")
        path.write_bytes(b"video")
        return EncodedSegment(str(path), segment.index, 3, self.encoder, {"encode": 0.1})


@pytest.fixture
def inner():
    return Answering()


@pytest.fixture
def make(inner, tmp_path):
    for name in ("own", "work"):
        (tmp_path / name).mkdir()

    def made(sha256="5" * 64, models=MODELS, **options):
        source = Source(sha256, tmp_path / "own", models, EngineOptions(**options))
        return ResumableStages(inner, SegmentStore(tmp_path / "segments"), source, Nobody())

    return made


def analyze(stages, segment=SEGMENT, options=BOTH):
    return asyncio.run(stages.analyze(segment, options))


def test_a_segment_is_analyzed_once_wherever_the_file_lies(make, inner):
    first = analyze(make())
    again = analyze(make(), replace(SEGMENT, path="elsewhere"))
    assert len(inner.asked) == 1
    assert np.array_equal(first.poses.keypoints, again.poses.keypoints)
    assert again.timings_s == first.timings_s


OTHER_MODEL = replace(MODELS[PRIMARY], sha256="cd")
OTHERS = {
    "file": {"sha256": "6" * 64},
    "weights": {"models": MODELS | {PRIMARY: OTHER_MODEL}},
    "detector": {"models": MODELS | {DETECTOR: replace(MODELS[DETECTOR], nms="compiled")}},
    "flip": {"flip_test": True},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_file_or_model_is_analyzed_again(make, inner, other):
    analyze(make())
    analyze(make(**other))
    assert len(inner.asked) == 2


def test_another_fallback_does_not_matter_where_the_primary_answered(make, inner):
    analyze(make())
    analyze(make(models=MODELS | {FALLBACK: replace(MODELS[FALLBACK], sha256="cd")}))
    assert len(inner.asked) == 1


@pytest.mark.parametrize("name", [f.name for f in fields(AnalysisOptions)])
def test_other_options_are_analyzed_again(make, inner, name):
    other = {
        "pose_models": (FALLBACK,),
        "finest_stride": 2,
        "in_hardware": True,
        "region": Region(0, 0, 2, 2),
        "pose_input": (1, 1),
        "detector_input": (1, 1),
    }
    options = replace(BOTH, **{name: other.get(name, 1)})
    assert options != BOTH
    analyze(make())
    analyze(make(), options=options)
    assert len(inner.asked) == 2


@pytest.mark.parametrize("name", sorted({f.name for f in fields(SEGMENT)} - {"path"}))
def test_another_cut_is_analyzed_again(make, inner, name):
    arrays = {"pts": np.array([0, 1, 3]), "numbers": np.array([0, 1, 2, 3]), "time_base": (1, 50)}
    analyze(make())
    analyze(make(), replace(SEGMENT, **{name: arrays.get(name, 7)}))
    assert len(inner.asked) == 2


def test_what_the_fallback_answered_is_not_taken_for_the_primarys(make, inner):
    inner.models = ("HRNet",)
    assert analyze(make()).models == ("HRNet",)
    inner.models = ("RTMPose",)
    assert analyze(make()).models == ("RTMPose",)
    assert analyze(make()).models == ("RTMPose",)
    assert len(inner.asked) == 2
    only = replace(BOTH, pose_models=(FALLBACK,))
    assert analyze(make(), options=only).models == ("HRNet",)
    assert len(inner.asked) == 2


def test_a_segment_by_several_models_is_analyzed_again(make, inner):
    inner.models = ("HRNet", "RTMPose")
    analyze(make())
    analyze(make())
    assert len(inner.asked) == 2


def test_a_segment_without_people_is_found_again(make, inner):
    inner.models = ()
    analyze(make())
    analyze(make())
    assert len(inner.asked) == 1


def render(stages, tmp_path, overlay=OVERLAY, options=None):
    options = options or EncodeOptions()
    return asyncio.run(stages.render(SEGMENT, overlay, tmp_path / "work", options))


def test_an_encoded_segment_is_kept_with_its_encoder(make, inner, tmp_path):
    inner.encoder = "h264_nvenc"
    first = render(make(), tmp_path)
    assert list((tmp_path / "work").iterdir()) == []
    again = render(make(), tmp_path)
    assert again == first
    assert again.encoder == "h264_nvenc"
    assert Path(again.path).read_bytes() == b"video"
    assert len(inner.asked) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"overlay": replace(OVERLAY, score=OVERLAY.score + 1)},
        {"overlay": replace(OVERLAY, min_score=0.4)},
        {"options": EncodeOptions(in_hardware=True)},
    ],
    ids=["score", "threshold", "options"],
)
def test_another_overlay_or_encoder_is_drawn_again(make, inner, tmp_path, changed):
    render(make(), tmp_path)
    render(make(), tmp_path, **changed)
    assert len(inner.asked) == 2


@pytest.mark.parametrize("suffix", [".nut", ".json"])
@pytest.mark.parametrize("content", [b"x", b"{}", b"\xff", None])
def test_a_damaged_encoded_segment_is_made_again(make, inner, tmp_path, suffix, content):
    path = Path(render(make(), tmp_path).path).with_suffix(suffix)
    path.unlink() if content is None else path.write_bytes(content)
    assert Path(render(make(), tmp_path).path).read_bytes() == b"video"
    assert len(inner.asked) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([1], [1.0]),
        ([True], [1]),
        (["1"], [1]),
        ([None], [[]]),
        ([[1], [2]], [[1, 2]]),
        (np.zeros(4, np.float32), np.zeros(4, np.int32)),
        (np.zeros((2, 2)), np.zeros(4)),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ],
    ids=str,
)
def test_different_values_have_different_digests(one, other):
    assert digest_of(one) != digest_of(other)


def test_equal_values_have_one_digest():
    assert digest_of({"a": 1, "b": (2,)}) == digest_of({"b": [np.int64(2)], "a": 1})
    rows = np.arange(6.0).reshape(2, 3)
    assert digest_of(rows.T) == digest_of(np.ascontiguousarray(rows.T))


@pytest.mark.parametrize(
    "value",
    [{1, 2}, np.array([object()]), object()],
    ids=["a set", "an object within", "an object"],
)
def test_a_value_without_a_notation_is_refused(value):
    with pytest.raises(TypeError, match="no notation"):
        digest_of(value)


def test_int8_networks_are_part_of_the_identity(tmp_path):
    options = EngineOptions(quantized=tmp_path)
    before = identity_of(MODELS[PRIMARY], options)
    (tmp_path / "network.bin").write_bytes(b"weights")
    assert identity_of(MODELS[PRIMARY], options) != before


def test_a_run_that_finds_all_segments_is_equal_to_one_that_finds_none(
    local, squat_video, tmp_path
):
    """The real engines: detection, poses, biomechanics and encoder."""
    statuses = local.stages.statuses
    options = AnalysisOptions(
        pose_input=statuses[PRIMARY].input_size, detector_input=statuses[DETECTOR].input_size
    )

    def outcome(stages, name):
        (tmp_path / name).mkdir()
        job = Job(squat_video, tmp_path / name, "c" * 32 + ".mp4", options, 0.3, segment_s=0.4)
        return asyncio.run(run(job, stages))

    source = Source("5" * 64, tmp_path / "own", statuses, EngineOptions())
    source.folder.mkdir()

    def resumable(inner):
        return ResumableStages(inner, SegmentStore(tmp_path / "segments"), source, Nobody())

    class Spent:
        """Stages that can no longer analyze or draw."""

        probe, biomechanics, join = (
            local.stages.probe,
            local.stages.biomechanics,
            local.stages.join,
        )

    plain = outcome(local.stages, "plain")
    assert_same_outcome(outcome(resumable(local.stages), "first"), plain)
    assert_same_outcome(outcome(resumable(Spent()), "second"), plain)


def assert_same_outcome(one, other):
    assert one.stored == other.stored
    assert one.stored.sha256
    assert one.biomechanics.summary == other.biomechanics.summary
    for a, b in zip(one.biomechanics.frames, other.biomechanics.frames, strict=True):
        assert list(a) == list(b)
    assert one.warnings == other.warnings
    for field in fields(one.clip):
        a, b = getattr(one.clip, field.name), getattr(other.clip, field.name)
        equal = (
            np.array_equal(a, b, equal_nan=True)
            if isinstance(a, np.ndarray) and a.dtype.kind == "f"
            else np.array_equal(a, b)
        )
        assert equal, field.name
