"""Sample crops of people from videos, to measure models on and fit them to."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deployments.crops import crop_transforms
from deployments.decode.probe import MediaLimits, probe
from deployments.decode.segments import split
from deployments.media.reader import read
from deployments.messages import U8, Segment
from deployments.pose.interface import PersonDetector

_MIN_BOX_SCORE = 0.5
_PLACES = 16
_PLACE_S = 0.5


def crops_of(detector: PersonDetector, size: tuple[int, int], segment: Segment, most: int) -> U8:
    """Return crops of ``size`` (w, h) of a segment's people, (n, h, w, 3), n from 0 to ``most``."""
    found: list[U8] = []
    pictures = read(segment)
    try:
        for picture in pictures:
            thumbnail, scale = picture.letterbox(detector.status.input_size)
            (people,) = detector.infer(thumbnail[None])
            boxes = people.boxes[people.score > _MIN_BOX_SCORE] / np.array([*scale, *scale])
            found += [picture.crop(map_, size) for map_ in crop_transforms(boxes, size)]
            if len(found) >= most:
                break
    finally:
        pictures.close()
    return np.stack(found[:most]) if found else np.empty((0, size[1], size[0], 3), np.uint8)


def crops_throughout(
    detector: PersonDetector,
    size: tuple[int, int],
    videos: Sequence[Path],
    limits: MediaLimits,
    most: int,
) -> list[U8]:
    """Return crops from all over the videos: an array (n, h, w, 3), n >= 1, for each place.

    Args:
        detector: of people. size: (w, h) of a crop. videos: where they come from.
        limits: for the videos. most: crops in all, about.

    Raises:
        MediaError: a video cannot be read, or is over the limits.
    """
    found = []
    for video in videos:
        segments = split(probe(str(video), limits), 1, _PLACE_S)
        places = np.unique(np.linspace(0, len(segments) - 1, _PLACES).round().astype(int))
        each = -(-most // (len(videos) * len(places)))
        found += [crops_of(detector, size, segments[place], each) for place in places]
    return [crops for crops in found if len(crops)]
