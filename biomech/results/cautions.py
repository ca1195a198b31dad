"""Find quality problems of a clip: cautions with the affected frames."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from biomech import reasons
from biomech.config import AUTO
from biomech.events.clip_events import ClipEvents
from biomech.events.slow_motion import LEAST_FACTOR, slow_flights
from biomech.kinematics.person_metrics import PersonMetrics
from biomech.kinematics.view import OBLIQUE
from biomech.reasons import Flags
from biomech.records.values import CautionCode
from biomech.skeleton import INDEX, SIDES, SKELETON
from biomech.time_windows import Windows, percentile, runs_of, velocity

LEAST_RATE_HZ: Final = 25.0
FAST_RATE_HZ: Final = 60.0
FAST_MOVEMENTS: Final = ("run", "jump", "throw")

MAX_BLUR: Final = 0.65
"""Threshold of blur: sharp pictures are below, a Gaussian blur of 1.5 % of the body's height above.
See docs/biomechanics/quality.md."""

_CONFIDENT: Final = 50.0
_BORDER_PX: Final = 1.5
_GROUND_SPEED: Final = 0.3
_FEET_APART_SPEED: Final = 0.1
_LEVEL_FEET: Final = 0.04
_MOVES_FOR_S: Final = 0.3
"""Shortest camera motion in seconds; less is motion of the person or of the points."""


@dataclass(frozen=True, slots=True)
class Caution:
    """A quality problem of some frames.

    Attributes:
        code, detail: the problem. frames: (f,) those affected.
        threshold: the number that affected frames exceed, None if it is not a single number.
        value: the number found instead, None if it is not a single number.
    """

    code: CautionCode
    detail: str
    frames: Flags
    threshold: float | None = None
    value: float | None = None


def cautions_of(
    metrics: PersonMetrics, clip_events: ClipEvents | None, movement: str, others: Flags
) -> list[Caution]:
    """Return the cautions that affect at least one frame with the person.

    Args:
        metrics: of the person. clip_events: None for a clip too short for events.
        movement: named by the caller.
        others: (f,) frames with another person.
    """
    present = metrics.points.track.present
    found = [
        *_rate(metrics, _shown(clip_events, movement)),
        Caution("out_of_plane", "seen from an oblique view: only the angle at a joint is given, "
                "as it is projected", metrics.view.kind == OBLIQUE),
        Caution("truncated", "the person reaches beyond the picture", _truncated(metrics)),
        Caution("several_people", "others are in the picture: they may hide the person", others),
        Caution("low_confidence", f"pose_quality is below {_CONFIDENT:g}", _unsure(metrics),
                _CONFIDENT),
        Caution("blur", "the person is blurred, or too few pixels high: points and angles are less "
                "sure", _blurred(metrics), MAX_BLUR),
    ]  # fmt: skip
    if clip_events is not None:
        found.append(_ground(clip_events))
        found.append(_slow_motion(clip_events))
    kept = [replace(caution, frames=caution.frames & present) for caution in found]
    return [caution for caution in kept if caution.frames.any()]


def ranges(frames: Flags) -> list[list[int]]:
    """Return the first and last frame of each run of ``frames`` (f,)."""
    index = np.arange(len(frames), dtype=np.float64)
    return [[start, stop - 1] for start, stop in runs_of(frames, index, np.inf).tolist()]


def _rate(metrics: PersonMetrics, movement: str) -> Iterator[Caution]:
    rate = metrics.points.filter.rate_hz
    least = FAST_RATE_HZ if movement in FAST_MOVEMENTS else LEAST_RATE_HZ
    # 1 % of slack: 60 frames a second are often 59.94.
    if rate is not None and rate < 0.99 * least:
        everywhere = np.ones(len(metrics.points.raw), np.bool_)
        detail = f"{rate:.4g} frames a second, {least:g} or more are needed for this movement"
        yield Caution("low_frame_rate", detail, everywhere, least)


def _shown(clip_events: ClipEvents | None, movement: str) -> str:
    """Return the movement named by the caller, else the recognized one."""
    seen = clip_events.recognized if clip_events and movement == AUTO else None
    return seen or movement


def _slow_motion(clip_events: ClipEvents) -> Caution:
    """Return the caution for flights that are slower than gravity allows, as in slow motion."""
    found = slow_flights(clip_events)
    frames = np.zeros(len(clip_events.curves.times_s), np.bool_)
    for flight in found:
        frames[flight.start : flight.stop] = True
    factor = float(np.median([flight.factor for flight in found])) if found else None
    detail = (
        "a flight is slower than gravity makes it: where the film is in slow motion, give "
        f"camera.slowmo_factor, about {factor:.1f}"
        if factor
        else ""
    )
    return Caution("slow_motion_suspected", detail, frames, LEAST_FACTOR, factor)


def _truncated(metrics: PersonMetrics) -> Flags:
    points = metrics.points
    body = [INDEX[name] for name in SKELETON.body]
    outside = (points.gated.reason[:, body] == reasons.OUT_OF_FRAME).any(1)
    width, height = points.track.size
    box = points.track.box
    at_border = (box[:, :2] <= _BORDER_PX).any(1)
    at_border |= (box[:, 2:] >= np.array([width, height]) - 1 - _BORDER_PX).any(1)
    return np.asarray(outside | at_border)


def _unsure(metrics: PersonMetrics) -> Flags:
    return np.asarray(metrics.movement["pose_quality"].value < _CONFIDENT)


def _blurred(metrics: PersonMetrics) -> Flags:
    track = metrics.points.track
    if track.blur is None:
        return np.zeros(len(track.times_s), np.bool_)
    return np.asarray(track.blur > MAX_BLUR)


def _ground(clip_events: ClipEvents) -> Caution:
    """Return the caution for standing feet that both move over the picture for some time.

    Either the camera or the surface under the person moves.
    """
    curves = clip_events.curves
    # Measured over a third of a second: a foot being put down is not standing.
    windows = Windows.of(curves.times_s, _MOVES_FOR_S)
    track = clip_events.metrics.points
    size = curves.stature_px
    ankles = {s: track.curve[:, INDEX[f"{s}_ankle"], 0] / size for s in SIDES}
    speed = {s: windows.mean(velocity(curves.times_s, x)) for s, x in ankles.items()}
    apart = np.abs(curves.ankle_height["left"] - curves.ankle_height["right"]) < _LEVEL_FEET
    together = np.abs(speed["left"] - speed["right"]) < _FEET_APART_SPEED
    moving = np.abs(speed["left"] + speed["right"]) / 2 > _GROUND_SPEED
    frames = np.asarray(apart & together & moving)
    for flight in clip_events.flights:
        frames[flight.takeoff : flight.landing + 1] = False
    if clip_events.gait:
        frames |= _stance_moves(clip_events)
    lasting = np.zeros(len(frames), np.bool_)
    for start, stop in runs_of(frames, curves.times_s, curves.max_gap_s).tolist():
        if curves.times_s[stop - 1] - curves.times_s[start] >= _MOVES_FOR_S:
            lasting[start:stop] = True
    detail = "the ground moves in the picture: a moving camera, or a treadmill"
    return Caution("camera_motion", detail, lasting, _GROUND_SPEED)


def _stance_moves(clip_events: ClipEvents) -> Flags:
    """Return the bouts in which feet on the ground mostly move backward, as on a treadmill."""
    curves, gait = clip_events.curves, clip_events.gait
    frames = np.zeros(len(curves.times_s), np.bool_)
    if gait is None:
        return frames
    facing = clip_events.metrics.view.facing
    since, speeds = [], []
    for side in SIDES:
        x = clip_events.metrics.points.curve[:, INDEX[f"{side}_ankle"], 0] / curves.stature_px
        speed = velocity(curves.times_s, x) * facing
        offs = gait.times("toe_off", side)
        for contact in gait.times("contact", side).tolist():
            off = int(np.searchsorted(offs, contact, "right"))
            if off < len(offs):
                inside = slice(*np.searchsorted(curves.times_s, [contact, offs[off]]).tolist())
                since.append(contact)
                speeds.append(percentile(speed[inside], 50))
    times, medians = np.array(since), np.array(speeds)
    for first, last in gait.bouts:
        own = (times >= curves.times_s[first]) & (times <= curves.times_s[last])
        if percentile(medians[own], 50) < -_GROUND_SPEED:
            frames[first : last + 1] = True
    return frames
