"""Technique compared: the mean repetition or stride of one result laid over that of another."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from biomech.applications.norms_and_limits import NEAR_FAR_BIAS
from biomech.applications.outcome import (
    INSUFFICIENT_DATA,
    NOT_COMPARABLE,
    Outcome,
    number,
    ok,
    unavailable,
)
from biomech.kinematics.geometry import Array
from biomech.statistics.dynamic_time_warping import dtw, timing

TOLERANCE_DEG: Final = 10.0
"""What a degree is measured in, where the reference does not vary by more."""

_MUST_MATCH: Final = ("definitions", "view", "movement")
_FILTER: Final = "filter"
_NOTHING: Final[Outcome] = {"of": None, "dtw_norm": None, "timing": None, "joints": {}}


def technique(
    athlete: Mapping[str, Any],
    reference: Mapping[str, Any],
    tolerance_deg: float = TOLERANCE_DEG,
) -> Outcome:
    """How the movement of ``athlete`` differs from that of ``reference``.

    Both are objects of ``data.biomechanics_summary`` of a response: one person of one clip each;
    the reference may also be one of :func:`biomech.applications.technique_reference.reference_of`,
    of which the ``reason`` tells what it does not say and is taken to agree. It has
    ``near_far_bias`` where another side was nearer to the camera: that alone puts sides apart.

    Their mean curves (``phases``) are compared as they are, point by point of 101 (``rmsd_deg``,
    ``max_dev_deg`` at ``at_pct`` of the movement), and warped to each other's pace: ``dtw_norm`` is
    what then still differs, in tolerances, ``timing`` by how much of the movement they were out of
    step. The tolerance is the scatter of the reference's own repetitions, ``tolerance_deg`` at
    least.

    Returns:
        ``not_comparable`` where view, definitions, movement, filter or kind of angle differ.
    """
    mismatch = differences(athlete, reference)
    mine = athlete.get("phases")
    other = _cut_alike(reference, mine["driver"] if mine else None)
    if not mine or not other:
        which = "reference" if mine else "result"
        return unavailable(INSUFFICIENT_DATA, f"the {which} has no whole repetition", **_NOTHING)
    if mine["of"] != other["of"]:
        mismatch.append(f"one has {mine['of']}s, the other {other['of']}s")
    elif _joint_of(mine["driver"]) != _joint_of(other["driver"]):
        mismatch.append(f"repetitions are of {mine['driver']} and of {other['driver']}")
    ways = [which.get("direction") for which in (mine, other)]  # none in results of bm-1
    if None not in ways and ways[0] != ways[1]:
        mismatch.append(f"repetitions begin with {ways[0]} and with {ways[1]}")
    if other["signed"] not in (None, mine["signed"]):
        mismatch.append("only one of the two has signed angles")
    if mismatch:
        return unavailable(NOT_COMPARABLE, "; ".join(mismatch), **_NOTHING)
    names = [name for name in mine["joints"] if name in other["joints"]]
    if not names:
        return unavailable(INSUFFICIENT_DATA, "no joint is seen in both", **_NOTHING)
    a, b = (_means(phases["joints"], names) for phases in (mine, other))
    if other["signed"] is None:
        a = np.abs(a)
    warp = dtw(a, b, _tolerance(other["joints"], names, tolerance_deg))
    return ok(
        reason="; ".join(_notes(athlete, reference)) or None,
        of=mine["of"],
        dtw_norm=number(warp.norm),
        timing=number(timing(warp.path, len(a))),
        joints={name: _apart(a[:, i] - b[:, i]) for i, name in enumerate(names)},
    )


def _notes(athlete: Mapping[str, Any], reference: Mapping[str, Any]) -> Iterator[str]:
    """Give the cautions of two movements that are compared all the same."""
    unsaid = [name for name in (*_MUST_MATCH, _FILTER) if name not in reference]
    if unsaid:
        yield f"taken to agree, as the reference does not say: {', '.join(unsaid)}"
    if nearness_differs(athlete, reference):
        sides = (athlete["near_side"], reference["near_side"])
        yield f"{NEAR_FAR_BIAS}: nearer to the camera is {sides[0]}, in the reference {sides[1]}"


def nearness_differs(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Tell whether different sides are known to be nearer to the camera."""
    sides = {a.get("near_side"), b.get("near_side")} - {None}
    return len(sides) > 1


def _cut_alike(reference: Mapping[str, Any], driver: str | None) -> Mapping[str, Any] | None:
    """The mean movement of the reference, cut by the joint ``driver`` of either side if it can."""
    cuts: Mapping[str, Any] = reference.get("cuts", {})
    alike = [name for name in cuts if _joint_of(name) == _joint_of(driver)]
    own_side_first = sorted(alike, key=lambda name: name != driver)
    return cuts[own_side_first[0]] if alike else reference.get("phases")


def _joint_of(driver: str | None) -> str | None:
    """What repetitions are of, of either side: which side moves more may be noise."""
    return driver and driver.removeprefix("left_").removeprefix("right_")


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Why two results do not compare: what they were made by and from where they were filmed.

    What one of them does not say is taken to agree.
    """
    found = [
        f"{name}: {a[name]} and {b[name]}"
        for name in _MUST_MATCH
        if name in a and name in b and a[name] != b[name]
    ]
    cutoffs = [(result[_FILTER] or {}).get("cutoff_hz") for result in (a, b) if _FILTER in result]
    if len(cutoffs) > 1 and cutoffs[0] != cutoffs[1]:
        found.append(f"filter.cutoff_hz: {cutoffs[0]} and {cutoffs[1]}")
    return found


def _means(joints: Mapping[str, Any], names: list[str]) -> Array:
    """(101, j) degrees."""
    return np.array([joints[name]["mean"] for name in names], np.float64).T


def _tolerance(joints: Mapping[str, Any], names: list[str], least_deg: float) -> Array:
    """(j,) degrees; a reference of one repetition has no scatter."""
    scatter = [np.mean(joints[name]["sd"]) if joints[name]["sd"] else 0.0 for name in names]
    return np.maximum(np.array(scatter, np.float64), least_deg)


def _apart(deviation: Array) -> dict[str, float | None]:
    largest = int(np.abs(deviation).argmax())
    return {
        "rmsd_deg": number(float(np.sqrt(np.mean(deviation**2)))),
        "max_dev_deg": number(float(deviation[largest])),
        "at_pct": number(100.0 * largest / (len(deviation) - 1)),
    }
