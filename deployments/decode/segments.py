"""Cutting a video into stretches of time."""

import numpy as np

from deployments.messages import MediaInfo, Segment, ticks_to_seconds


def split(media: MediaInfo, detector_stride: int, target_s: float = 4.0) -> list[Segment]:
    """Cut ``media`` into segments of about ``target_s`` seconds.

    A segment starts at the first detection frame (a multiple of ``detector_stride``) at or after a
    key frame, so that decoding wastes at most ``detector_stride - 1`` frames. Where key frames are
    rarer than ``target_s``, segments are as long as the gaps between them: to cut inside would mean
    decoding the same frames twice.
    """
    starts = [0]
    times = ticks_to_seconds(media.pts - media.pts[0], media.time_base)
    for key in np.searchsorted(media.pts, media.keyframe_pts):
        start = -(-int(key) // detector_stride) * detector_stride
        if start < media.frame_count and times[start] - times[starts[-1]] >= target_s:
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
        )
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]


def _key_before(media: MediaInfo, frame: int) -> int:
    """PTS of the last key frame at or before ``frame``; of the first frame if there is none."""
    i = int(np.searchsorted(media.keyframe_pts, media.pts[frame], side="right")) - 1
    return int(media.keyframe_pts[i]) if i >= 0 else int(media.pts[0])
