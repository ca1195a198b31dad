"""Define the messages of the annotated video: overlay, encoder options, segments and stored video.

The conventions are those of :mod:`deployments.messages`.
"""

from dataclasses import dataclass, field
from typing import Literal

from deployments.messages import F32, F64, I32


@dataclass(frozen=True, slots=True)
class Overlay:
    """Overlay of the m frames of a segment.

    Attributes:
        keypoints: (m,p,17,2) image pixels, NaN absent; score: (m,p,17).
        box: (m,p,4), NaN absent.
        track_id: (p,); the first is the primary person, whose angles are written.
        angles_deg: (m,6) of the primary person, order of ``JOINT_ANGLES``, NaN where missing.
        min_score: keypoints below are not drawn.
    """

    keypoints: F32
    score: F32
    box: F32
    track_id: I32
    angles_deg: F64
    min_score: float


Encoder = Literal["libx264", "h264_nvenc"]


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """Options of the encoder of annotated videos.

    Attributes:
        preset: x264 preset. crf: constant rate factor, 0-51.
        max_height: pictures taller are scaled down to it; None keeps the source's size.
        in_hardware: whether a GPU's decoder and encoder are used, where there are.
    """

    preset: str = "superfast"
    crf: int = 25
    max_height: int | None = None
    in_hardware: bool = False


@dataclass(frozen=True, slots=True)
class EncodedSegment:
    """One stretch of the annotated video, on disk, to be joined to others of its encoder."""

    path: str
    index: int
    frames: int
    encoder: Encoder = "libx264"
    timings_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A stored annotated video: address, size in bytes, sha256, and warnings by code."""

    url: str
    size_bytes: int
    sha256: str
    warnings: tuple[tuple[str, str], ...] = ()
