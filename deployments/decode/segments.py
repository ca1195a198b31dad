"""Cut a video into segments."""

from typing import Literal

import numpy as np

from deployments.messages import F64, I64, MediaInfo, Segment, ticks_to_seconds

SEGMENT_S = 4.0
"""Length of a segment, unless the settings say otherwise."""

# A gap between key frames longer than this number of segments is cut into parts.
_PARTS = 4


def split(media: MediaInfo, detector_stride: int, target_s: float = SEGMENT_S) -> list[Segment]:
    """Cut ``media`` into segments of about ``target_s`` seconds.

    A segment starts on a detection frame (a multiple of ``detector_stride``), the first at or after
    a key frame, so that decoding wastes at most ``detector_stride - 1`` frames.

    A cut between key frames requires decoding everything since the last one again: n parts of a gap
    cost (n + 1) / 2 times its decoding. Gaps of up to four times ``target_s`` are not cut. Longer
    ones, as in browsers' recordings, are cut into four: decoding 2.5 times is cheap compared with
    the other work on each frame, and a video with a single key frame would otherwise be one unit.
    """
    times = media.times_s - media.times_s[0]
    starts = [0]
    numbers = None if media.part is None else media.part.numbers
    for frame in _cuts(media, times, target_s):
        start = -(-int(frame) // detector_stride) * detector_stride
        is_far = start < media.frame_count and times[start] - times[starts[-1]] >= target_s
        if is_far and start > starts[-1]:
            starts.append(start)
    stops = [*starts[1:], media.frame_count]
    return [
        Segment(
            path=media.path,
            time_base=media.time_base,
            rotation_deg=media.rotation_deg,
            width=media.width,
            height=media.height,
            index=i,
            first_frame=start,
            pts=media.pts[start:stop],
            seek_pts=_key_before(media, start),
            closing_pts=int(media.pts[stop]) if stop < media.frame_count else None,
            in_order=media.in_order,
            counted=media.counted,
            interlaced=media.interlaced,
            numbers=None if numbers is None else numbers[start : stop + 1],
            max_fps=None if media.part is None else media.part.max_fps,
        )
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]


def _cuts(media: MediaInfo, times_s: F64, target_s: float) -> I64:
    """Return the frames at which to cut, ascending: key frames, and quarters of long gaps."""
    keys = media.keyframe_pts
    keys = keys[(keys >= media.pts[0]) & (keys <= media.pts[-1])]
    ends = ticks_to_seconds(keys - media.pts[0], media.time_base)
    ends = np.concatenate([[0.0], ends, times_s[-1:]])
    cuts = [ends[:-1]]
    for part in range(1, _PARTS):
        gaps = np.diff(ends)
        cuts.append((ends[:-1] + gaps * part / _PARTS)[gaps > _PARTS * target_s])
    found: I64 = np.searchsorted(times_s, np.sort(np.concatenate(cuts)))
    return found


def _key_before(media: MediaInfo, frame: int) -> int:
    """Return the PTS of the key frame from which to decode ``frame``, else of the first frame.

    An interlaced picture takes the one before it, which may not be among those analyzed.
    """
    side: Literal["left", "right"] = "left" if media.interlaced else "right"
    i = int(np.searchsorted(media.keyframe_pts, media.pts[frame], side=side)) - 1
    return int(media.keyframe_pts[i]) if i >= 0 else int(media.pts[0])
