"""Apply the options of a request to a probed file: the pictures to analyze, and the way up."""

import math
from dataclasses import replace

import numpy as np

from biomech.time_windows import rate_of
from deployments.errors import BadParameterError
from deployments.media_choice import MediaOptions, MediaPart
from deployments.messages import I64, MediaInfo, ticks_to_seconds

# A spacing that differs more than this from the median is uneven (as biomech's filters have it).
_VARIABLE_SHARE = 0.02
VARIABLE = ("variable_frame_rate", "frames are not evenly spaced; times are the file's")
_MOST_NAMED = 5  # frames in a warning
_ROUNDED_S = 1e-3
_EARLY = 0.1  # of an interval
_SAME_RATE = 1e-3  # callers write 29.97 for 30000/1001


def applied(media: MediaInfo, options: MediaOptions) -> MediaInfo:
    """Return ``media`` with the pictures and the rotation that a request asks for.

    Everything after probing reads only what this returns.

    Args:
        media: a whole file.

    Raises:
        BadParameterError: the part is outside the file or empty; ``facts`` has ``duration_s``.
    """
    media = _turned(media, options.rotation_deg)
    chosen = _within(media, options)
    in_range = len(chosen)
    if options.max_fps is not None:
        chosen = chosen[evenly(media.pts[chosen], media.time_base, options.max_fps)]
    if len(chosen) == media.frame_count:
        return media
    stop = int(chosen[-1]) + 1 if options.end_s is None else _first_at(media, options.end_s)
    part = MediaPart(
        numbers=chosen,
        origin_pts=int(media.pts[0]),
        end_pts=int(media.pts[stop])
        if options.end_s is not None and stop < media.frame_count
        else None,
        max_fps=options.max_fps if len(chosen) < in_range else None,
        file_frames=media.frame_count,
        file_duration_s=media.duration_s,
    )
    cut = replace(media, pts=media.pts[chosen], part=part)
    told = [warning for warning in media.warnings if warning[0] != VARIABLE[0]]
    if is_variable(cut.pts):
        told.append(VARIABLE)
    return replace(cut, warnings=(*told, *_told_part(cut, part, in_range)))


def is_variable(pts: I64) -> bool:
    """Return whether frame intervals differ by more than rounding to ticks explains."""
    gaps = np.diff(pts)
    if not len(gaps):
        return False
    usual = float(np.median(gaps))
    rounding = 1.0 if usual >= 2 else 0.0
    return bool(np.abs(gaps - usual).max() > max(_VARIABLE_SHARE * usual, rounding))


def evenly(pts: I64, time_base: tuple[int, int], max_fps: float) -> I64:
    """Return the indices of frames to keep, ascending, at no more than ``max_fps``.

    The rate kept is the highest integer fraction of the video's own, so that frames of an even
    video stay even: every second one of 50 a second for 30. Time is divided into intervals of that
    rate, centered on the first frame and on multiples of the interval after it; the frame closest
    to each center is kept.

    Args:
        pts: (n,) ascending time stamps in ticks of ``time_base``.
    """
    everything = np.arange(len(pts))
    times_s = ticks_to_seconds(pts - pts[0], time_base)
    rate = rate_of(times_s)  # NaN for a single frame
    if not rate > max_fps * (1 + _SAME_RATE):
        return everything
    place = times_s * rate / math.ceil(rate / max_fps / (1 + _SAME_RATE))
    slot = np.floor(place + 0.5)
    order = np.lexsort((everything, np.abs(place - slot), slot))
    first = np.concatenate([[True], np.diff(slot[order]) > 0])
    kept: I64 = np.sort(order[first])
    # The last center may be after the last frame: one before it would make the video uneven.
    is_early = slot[kept[-1]] - place[kept[-1]] > _EARLY
    return kept[:-1] if is_early else kept


def _turned(media: MediaInfo, rotation_deg: int | None) -> MediaInfo:
    """Return ``media`` with another rotation than the one its file declares."""
    if rotation_deg is None:
        return media
    sideways = (rotation_deg - media.rotation_deg) % 180 != 0
    width, height = (media.height, media.width) if sideways else (media.width, media.height)
    return replace(
        media,
        rotation_deg=rotation_deg,
        width=width,
        height=height,
        warnings=tuple(w for w in media.warnings if w[0] != "rotation_ignored"),
    )


def _within(media: MediaInfo, options: MediaOptions) -> I64:
    """Return the positions in the file of the pictures from ``start_s`` up to ``end_s``."""
    start_s = 0.0 if options.start_s is None else options.start_s
    end_s = math.inf if options.end_s is None else options.end_s
    if not 0 <= start_s < end_s:
        raise _out_of_range(media, "end", f"{end_s:g} s is not after start, {start_s:g} s")
    if start_s and start_s >= media.duration_s:
        raise _out_of_range(media, "start", f"{start_s:g} s is not within the video")
    # A caller may send the duration back, which responses round.
    if options.end_s is not None and options.end_s > media.duration_s + _ROUNDED_S:
        raise _out_of_range(media, "end", f"{end_s:g} s is after the end of the video")
    first, stop = _first_at(media, start_s), _first_at(media, end_s)
    if first == stop:
        until = "on" if options.end_s is None else f"up to {end_s:g} s"
        raise _out_of_range(media, "start", f"no frame is shown from {start_s:g} s {until}")
    return np.arange(first, stop)


def _first_at(media: MediaInfo, time_s: float) -> int:
    """Return the position of the first picture at or after a time, as the response rounds it."""
    return int(np.searchsorted(np.round(media.times_s, 6), round(time_s, 6)))


def _out_of_range(media: MediaInfo, field: str, found: str) -> BadParameterError:
    duration_s = round(media.duration_s, 4)
    return BadParameterError(
        f"{field}: {found}; the video lasts {duration_s:g} s",
        hint="Choose start and end, in seconds, within the video.",
        field=field,
        duration_s=duration_s,
    )


def _told_part(media: MediaInfo, part: MediaPart, in_range: int) -> tuple[tuple[str, str], ...]:
    """Say which frames of the file are analyzed, and which are not."""
    numbers, times_s = part.numbers, media.times_s
    told = []
    if in_range < part.file_frames:
        told.append(
            (
                "part_analyzed",
                f"frames {numbers[0]} to {numbers[-1]} ({times_s[0]:.2f} to {times_s[-1]:.2f} s) "
                f"of {part.file_frames} ({part.file_duration_s:.2f} s)",
            )
        )
    if part.max_fps is not None:
        kept = ", ".join(map(str, numbers[:_MOST_NAMED].tolist()))
        told.append(
            (
                "frames_skipped",
                f"{in_range - len(numbers)} of {in_range} frames were dropped for max_fps "
                f"{part.max_fps:g}; those analyzed are {kept}"
                + (" and so on, by frame_number" if len(numbers) > _MOST_NAMED else ""),
            )
        )
    return tuple(told)
