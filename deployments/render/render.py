"""The two verbs of the stage: draw a segment, and make one stored video of all."""

from collections.abc import Sequence
from pathlib import Path

from deployments.media.reader import read
from deployments.messages import (
    EncodedSegment,
    EncodeOptions,
    MediaInfo,
    Overlay,
    Segment,
    StoredVideo,
)
from deployments.render.encode import encode_segment
from deployments.render.join import join
from deployments.render.storage import VideoStore


def render_segment(
    segment: Segment, overlay: Overlay, folder: Path, options: EncodeOptions
) -> EncodedSegment:
    """Decode ``segment`` again, draw ``overlay`` on it and encode it into ``folder``.

    Raises:
        MediaError: the source cannot be read. StorageError: the result cannot be written.
    """
    pictures = read(segment)
    try:
        return encode_segment(pictures, segment, overlay, folder, options)
    finally:
        pictures.close()


def join_and_store(
    encoded: Sequence[EncodedSegment], media: MediaInfo, folder: Path, key: str, store: VideoStore
) -> StoredVideo:
    """Join the segments with the source's sound and put the video into the store under ``key``.

    Raises:
        StorageError: it cannot be written or stored.
    """
    return store.put(join(encoded, media, folder / "annotated.mp4"), key)
