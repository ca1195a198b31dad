"""Draw a segment, and join all segments to one stored video."""

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from deployments.annotated_video import (
    EncodedSegment,
    EncodeOptions,
    Encoder,
    Overlay,
    StoredVideo,
)
from deployments.concurrency import Cancelled, WorkCancelledError, never
from deployments.errors import StorageError
from deployments.media import hardware
from deployments.media.open import open_media
from deployments.media.reader import read, video_stream
from deployments.messages import MediaInfo, Segment
from deployments.render.encode import encode_segment
from deployments.render.join import join
from deployments.render.storage import VideoStore

_RATE_UNKNOWN = Fraction(25)
_RATES = Fraction(1), Fraction(240)  # containers that count milliseconds may claim 1000


def render_segment(
    segment: Segment,
    overlay: Overlay,
    folder: Path,
    options: EncodeOptions,
    cancelled: Cancelled = never,
) -> EncodedSegment:
    """Decode ``segment`` again, draw ``overlay`` on it and encode it into ``folder``.

    If a GPU's encoder fails, for example because it has no session left, x264 encodes the segment.
    ``cancelled`` is called at every packet.

    Raises:
        MediaError: the source cannot be read. StorageError: the result cannot be written.
    """
    rate = frame_rate(segment.path)
    if segment.max_fps is not None:
        rate = min(rate, Fraction(segment.max_fps).limit_denominator(1000))

    def encoded(encoder: Encoder) -> EncodedSegment:
        with closing(
            read(segment, in_hardware=options.in_hardware, cancelled=cancelled)
        ) as pictures:
            return encode_segment(pictures, segment, overlay, folder, options, rate, encoder)

    if options.in_hardware and hardware.has_encoder():
        with suppress(StorageError):
            return encoded("h264_nvenc")
    return encoded("libx264")


def join_and_store(
    encoded: Sequence[EncodedSegment],
    media: MediaInfo,
    folder: Path,
    key: str,
    store: VideoStore,
    cancelled: Cancelled = never,
) -> StoredVideo:
    """Join the segments with the source's sound and put the video into the store under ``key``.

    A warning reports that the sound could not be kept. ``cancelled`` is called at every packet, and
    before the video is stored.

    Raises:
        WorkCancelledError: ``cancelled`` returned True.
        StorageError: the video cannot be written or stored.
    """
    video = folder / "annotated.mp4"
    has_sound = join(encoded, media, video, cancelled)
    if cancelled():
        raise WorkCancelledError(key)
    stored = store.put(video, key)
    if has_sound or media.audio_codec is None:
        return stored
    told = ("sound_left_out", f"the sound ({media.audio_codec}) cannot be kept in an MP4")
    return replace(stored, warnings=(told,))


def frame_rate(path: str) -> Fraction:
    """Return pictures a second of a whole video by its container, for all its segments."""
    with open_media(path, trial="none") as container:
        rate = video_stream(container).average_rate
    lowest, highest = _RATES
    return min(max(Fraction(rate), lowest), highest) if rate else _RATE_UNKNOWN
