"""Define the messages between stages: frozen dataclasses of arrays.

Pixels are display pixels (after the container's rotation), x right, y down, a pixel's center at its
integer coordinate. Boxes are ``x1, y1, x2, y2``. Times are PTS. Color images are uint8 BGR.
Arrays that come out of Ray's object store are read-only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from biomech.records.frame_record import FrameBiomechanics
from biomech.records.person_record import PersonSummary
from biomech.skeleton import KEYPOINTS
from biomech.time_windows import rate_of
from deployments.hand_edits import HandEdits
from deployments.media_choice import MediaPart, Region
from deployments.roles import ModelRole

if TYPE_CHECKING:
    from deployments.media.scene_change import SceneChange

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Facts of a media file, from probing.

    Attributes:
        path: local path of the file.
        container: demuxer's short name (``mov``, ``matroska``, ``avi``, ``mpegts``).
        codec, pixel_format: of the video stream (``h264``, ``yuv420p10le``).
        width, height: display pixels, after rotation.
        rotation_deg: clockwise turn that makes the stored picture upright: 0, 90, 180 or 270.
        time_base: seconds a tick, as (numerator, denominator).
        pts: (frames,) presentation time stamps in ticks, ascending, one a picture.
        keyframe_pts: (k,) those of the file at which decoding can start, ascending.
        audio_codec: of the first audio stream, or None.
        in_order: whether pictures are known to be stored in the order in which they are shown.
        counted: whether the file's own time stamps step back or repeat, so that a picture is known
            by its number in the decoder's order; then it is decoded from the beginning.
        interlaced: whether pictures are of two fields, which are made whole ones; that takes the
            picture before each.
        warnings: codes with text for the response, e.g. ``("variable_frame_rate", "...")``.
        part: which pictures of the file these are; None for all.
    """

    path: str
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation_deg: int
    time_base: tuple[int, int]
    pts: I64
    keyframe_pts: I64
    audio_codec: str | None = None
    in_order: bool = False
    counted: bool = False
    interlaced: bool = False
    warnings: tuple[tuple[str, str], ...] = ()
    part: MediaPart | None = None

    @property
    def frame_count(self) -> int:
        """Number of pictures."""
        return len(self.pts)

    @property
    def numbers(self) -> I64:
        """(frames,) position of each picture in the file."""
        return np.arange(len(self.pts)) if self.part is None else self.part.numbers

    @property
    def times_s(self) -> F64:
        """(frames,) seconds since the first picture of the file."""
        origin = self.pts[0] if self.part is None else self.part.origin_pts
        return ticks_to_seconds(self.pts - origin, self.time_base)

    @property
    def fps(self) -> float:
        """Frames a second (see :func:`biomech.time_windows.rate_of`); 0 for a single picture."""
        return rate_of(self.times_s) if len(self.pts) > 1 else 0.0

    @property
    def duration_s(self) -> float:
        """Seconds from the first picture to the end of the last (held for the usual interval)."""
        times_s = self.times_s
        return float(times_s[-1] - times_s[0]) + (1.0 / self.fps if self.fps else 0.0)


def ticks_to_seconds(ticks: I64, time_base: tuple[int, int]) -> F64:
    """Ticks of ``time_base`` as seconds, same shape."""
    return np.asarray(ticks, np.float64) * time_base[0] / time_base[1]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one video: the unit of work, retry, progress and parallelism.

    It starts on a detection frame (a multiple of the stride), so that its result does not depend on
    where the video was cut; the first frame of its right neighbour (``closing_pts``) is decoded and
    detected too, which closes the last interval between detections.

    Attributes:
        path, time_base, rotation_deg, width, height, in_order, counted, interlaced: of the
            media.
        index: position among the segments of the video.
        first_frame: index among the analyzed frames of the segment's first frame.
        pts: (m,) ticks of its frames.
        seek_pts: key frame from which decoding starts.
        closing_pts: tick of the first frame after it; None at the end of the video.
        numbers: position in the file of its frames and of the closing one; None where all frames
            of the file are analyzed.
        max_fps: see :class:`MediaPart`.
    """

    path: str
    time_base: tuple[int, int]
    rotation_deg: int
    width: int
    height: int
    index: int
    first_frame: int
    pts: I64
    seek_pts: int
    closing_pts: int | None
    in_order: bool = False
    counted: bool = False
    interlaced: bool = False
    numbers: I64 | None = None
    max_fps: float | None = None


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """Options of the analysis of a segment.

    Attributes:
        pose_models: roles to ask, in order of preference.
        pose_input: (width, height) of a crop.
        detector_input: (width, height) of the letterboxed picture given to the detector.
        detector_stride: number of frames between detections.
        finest_stride: smallest number of frames between detections, used while people move; None
            for the same stride throughout.
        min_box_score: detections with a lower score are ignored.
        max_people: maximum number of boxes kept in a detection frame (best score, then area).
        pose_calls_in_flight: batches of crops under way at once.
        batch: crops in one call to a pose model.
        in_hardware: whether a GPU's decoder is used, where there is one.
        region: part of the picture in which people are detected; None for all of it.
    """

    pose_models: tuple[ModelRole, ...] = (ModelRole.PRIMARY,)
    pose_input: tuple[int, int] = (192, 256)
    detector_input: tuple[int, int] = (320, 320)
    detector_stride: int = 4
    finest_stride: int | None = None
    min_box_score: float = 0.3
    max_people: int = 6
    pose_calls_in_flight: int = 4
    batch: int = 16
    in_hardware: bool = False
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Detections:
    """People found in one picture, best first: boxes (n,4) and score (n,) in [0, 1]."""

    boxes: F32
    score: F32


@dataclass(frozen=True, slots=True)
class CropPoses:
    """Keypoints of n crops, in pixels of the crop.

    Attributes:
        keypoints: (n,17,2) float32, NaN where the model gave none.
        score: (n,17) confidence in [0, 1].
        raw_score: (n,17) as the network gave it; a SimCC maximum can exceed 1.
        sigma: (n,17,2) standard deviation by the spread of the response, crop pixels; NaN unknown.
    """

    keypoints: F32
    score: F32
    raw_score: F32
    sigma: F32

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(self, index: slice | I64) -> "CropPoses":
        return CropPoses(
            self.keypoints[index], self.score[index], self.raw_score[index], self.sigma[index]
        )

    @staticmethod
    def concatenate(parts: "list[CropPoses]", order: slice | I64 = slice(None)) -> "CropPoses":
        """One after another, then in ``order``, array by array; empty for no parts."""
        if not parts:
            return CropPoses(
                np.empty((0, len(KEYPOINTS), 2), np.float32),
                np.empty((0, len(KEYPOINTS)), np.float32),
                np.empty((0, len(KEYPOINTS)), np.float32),
                np.empty((0, len(KEYPOINTS), 2), np.float32),
            )
        return CropPoses(
            *(
                np.concatenate([getattr(p, name) for p in parts])[order]
                for name in ("keypoints", "score", "raw_score", "sigma")
            )
        )


@dataclass(frozen=True, slots=True)
class SegmentPoses:
    """All people of a segment, one row a person and frame, ordered by frame.

    Attributes:
        index: of the segment.
        first_frame: index in the video of its first frame.
        decoded: (m,) whether each frame of the segment could be decoded.
        frame: (n,) index in the video.
        tracklet: (n,) one number for the rows of one person from detection to detection; local to
            the segment.
        box: (n,4) image pixels; box_score: (n,); detected: (n,) False where interpolated.
        poses: of the n rows, keypoints and sigma in image pixels.
        blur: (n,) of the person, 0 sharp to 1; NaN where it cannot be told.
        model: (n,) index into ``models``, the display names of the models that answered.
        closing: boxes, score and tracklets of the right neighbour's first frame, by which the
            tracklets of both are joined: ((k,4), (k,)).
        timings_s: seconds by stage name (``decode``, ``detect``, ``crop``, ``pose``).
        warnings: (code, text).
        damaged: indices in the video of the frames whose pictures are damaged, which are taken as
            not decoded.
        shares: (m,) of the picture that changes in each frame after the first one, up to that of
            the right neighbor; NaN where it does not, or is not known.
        changes: pictures that may begin another take.
    """

    index: int
    first_frame: int
    decoded: Bools
    frame: I32
    tracklet: I32
    box: F32
    box_score: F32
    detected: Bools
    poses: CropPoses
    blur: F32
    model: I32
    models: tuple[str, ...]
    closing_box: F32
    closing_tracklet: I32
    timings_s: dict[str, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    damaged: tuple[int, ...] = ()
    shares: F32 | None = None
    changes: tuple["SceneChange", ...] = ()


@dataclass(frozen=True, slots=True)
class ClipPoses:
    """The people of a whole clip: n rows, one for each person in each frame that shows them.

    Attributes:
        times_s: (f,) seconds since the first frame.
        width, height: of the picture.
        track_id: (p,) number of each person, the primary person first.
        row: (f,p) of the arrays below, -1 where the person is absent.
        box: (n,4); box_score: (n,).
        keypoints: (n,17,2) image pixels; score, raw_score: (n,17); sigma: (n,17,2).
        model: (n,) index into ``models``.
        decoded: (f,) whether the frame could be decoded.
        left_out: people of least importance that were not kept, to bound memory.
        blur: (n,) 0 sharp to 1, NaN where it cannot be told; None where there were no pictures.
        cuts: first frames of all takes but the first; nobody is in two takes.
        by_hand: corrections, on top of the arrays above; None for none.
    """

    times_s: F64
    width: int
    height: int
    track_id: I32
    row: I32
    box: F32
    box_score: F32
    keypoints: F32
    score: F32
    raw_score: F32
    sigma: F32
    model: I32
    models: tuple[str, ...]
    decoded: Bools
    left_out: int = 0
    blur: F32 | None = None
    cuts: tuple[int, ...] = ()
    by_hand: HandEdits | None = None

    @property
    def present(self) -> Bools:
        """(f,p) whether the person is in the frame."""
        return self.row >= 0

    def to_dense(
        self, values: F32, frames: slice = slice(None), person: int | slice = slice(None)
    ) -> F32:
        """(m,p,...) of ``values`` (n,...), or (m,...) of one person, NaN where absent."""
        row = self.row[frames, person]
        out = np.full((*row.shape, *values.shape[1:]), np.nan, values.dtype)
        out[row >= 0] = values[row[row >= 0]]
        return out


@dataclass(frozen=True, slots=True)
class ClipBiomechanics:
    """Biomechanics of a whole clip.

    Attributes:
        frames: ``frames[p][f]`` is the specification's ``biomechanics`` object of person p in frame
            f, or None where the person is absent. It has the number of people requested. Objects
            may be built on access.
        angles_deg: (f,6) the joint angles of the primary person in the order of
            ``biomech.joints.JOINT_ANGLES``, NaN where missing: what the renderer writes beside
            the joints.
        summary: one a person.
        primary_points: (f,17,2) image pixels of the primary person, smoothed, NaN where not
            measured: what the angles are of. None where nobody is there or nothing was analyzed.
        warnings: (code, text).
    """

    frames: list[Sequence[FrameBiomechanics | None]]
    angles_deg: F64
    summary: list[PersonSummary]
    primary_points: F32 | None = None
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """State of a pose or detector deployment.

    Attributes:
        role: in which it answers. loaded: whether it can answer.
        key: registry entry in use. name: display name (``RTMPose-Medium``).
        config: MMPose config name. source: ``mmpose_hub`` for a published checkpoint, else
            ``local_file``.
        engine: ``torch`` or ``openvino``. device: ``cpu``, ``cuda:0``. precision: ``fp32`` ...
        input_size: (width, height). checkpoint: file name in use.
        nms: ``compiled`` or ``python`` for the mmcv operator in use.
        gpu: name of the GPU it runs on, or None.
        calibrated: whether its standard deviations and confidences are.
        reason: why it is not loaded, with the command that helps; no path of this machine.
        code: the same as a stable word: of the error, or ``disabled``.
        notice: what a user of the results must know (a stand-in model), or None.
        sha256: digest of the checkpoint file.
    """

    role: ModelRole
    loaded: bool
    key: str = ""
    name: str = ""
    config: str = ""
    source: str = ""
    engine: str = ""
    device: str = ""
    precision: str = ""
    input_size: tuple[int, int] = (0, 0)
    checkpoint: str = ""
    nms: str = ""
    gpu: str | None = None
    calibrated: bool = False
    reason: str | None = None
    code: str | None = None
    notice: str | None = None
    sha256: str = ""
