"""Damaged pictures are known as such, and measure nothing.

Noise inside a single picture of HEVC is not: nothing in it is redundant.
"""

import asyncio
from functools import cache

import numpy as np
import pytest

from deployments.decode.probe import probe
from deployments.decode.segment_analysis import analyze_segment
from deployments.media.reader import read
from deployments.messages import AnalysisOptions
from tests.support.corpus import ROOMY, cut
from tests.support.made_up_people import detector, pose_model
from tests.support.odd_media import grainy, mux, packets, with_noise

SIZE = (320, 240)
OPTIONS = {
    "h264": ("libx264", {"bf": "0", "g": "24", "sc_threshold": "0", "crf": "20"}),
    "h264 with B-frames": (
        "libx264",
        {"bf": "3", "g": "24", "crf": "20", "x264-params": "scenecut=0:b-adapt=0"},
    ),
    "hevc": ("libx265", {"x265-params": "log-level=none:crf=20:keyint=24:scenecut=0:bframes=3"}),
    "mpeg4": ("mpeg4", {"g": "24", "qscale": "3", "sc_threshold": "1000000000"}),
}


@cache
def _whole(tmp, kind):
    codec, options = OPTIONS[kind]
    path = tmp / f"{kind.replace(' ', '')}.mp4"
    return mux(path, packets(grainy(72), codec, options, SIZE), codec=codec, size=SIZE)


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("shares", [(0.2,), (0.4, 0.75)])
def test_each_picture_is_right_or_told_to_be_damaged_or_lost(tmp_path_factory, kind, shares):
    whole = _whole(tmp_path_factory.getbasetemp(), kind)
    true = {p.index: p.y for p in read(cut(probe(whole, ROOMY)))}
    media = probe(with_noise(whole, whole.with_suffix(".damaged.mp4"), *shares), ROOMY)
    assert media.frame_count == 72

    found = {p.index: p for p in read(cut(media))}

    off = {i: float(np.abs(p.y.astype(int) - true[i]).mean()) for i, p in found.items()}
    sound = {i for i, p in found.items() if not p.damaged}
    assert max(off[i] for i in sound) < 1
    assert len(sound) >= 24  # a group of pictures without damage, at the least
    assert len(sound) < 72
    for start in (12, 30, 60):
        part = list(read(cut(media, start, 68)))
        assert [(p.index, p.damaged) for p in part] == [
            (i, p.damaged) for i, p in found.items() if start <= i <= 68
        ]


def test_damaged_pictures_measure_nothing(tmp_path_factory):
    whole = _whole(tmp_path_factory.getbasetemp(), "h264 with B-frames")
    path = with_noise(whole, whole.with_suffix(".once.mp4"), 0.4)
    media = probe(path, ROOMY)
    damaged = [p.index for p in read(cut(media)) if p.damaged]
    options = AnalysisOptions(pose_input=(48, 64), detector_input=(96, 96))

    poses = asyncio.run(analyze_segment(cut(media), options, detector(), pose_model()))

    assert damaged
    assert list(poses.damaged) == damaged
    assert not np.isin(poses.frame, damaged).any()
    assert not poses.decoded[damaged].any()


def test_what_is_whole_is_not_called_damaged(tmp_path_factory):
    for kind in OPTIONS:
        media = probe(_whole(tmp_path_factory.getbasetemp(), kind), ROOMY)
        pictures = list(read(cut(media)))
        assert len(pictures) == 72
        assert not any(p.damaged for p in pictures)
