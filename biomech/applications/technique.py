"""Compare technique: the mean repetition or stride of one result with that of another."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from biomech.applications.norms_and_limits import NEAR_FAR_BIAS
from biomech.applications.outcome import INSUFFICIENT_DATA, NOT_COMPARABLE, OK, number, rounded
from biomech.kinematics.geometry import Array
from biomech.records.application_records import JointDeviation, TechniqueOutcome
from biomech.statistics.dynamic_time_warping import dtw, timing

TOLERANCE_DEG: Final = 10.0
"""Smallest tolerance in degrees; the reference's own scatter is used if it is larger."""

_MUST_MATCH: Final = ("definitions", "view", "movement")
_FILTER: Final = "filter"


def technique(
    athlete: Mapping[str, Any],
    reference: Mapping[str, Any],
    tolerance_deg: float = TOLERANCE_DEG,
) -> TechniqueOutcome:
    """Compare the movement of ``athlete`` with that of ``reference``.

    Both are objects of ``data.biomechanics_summary`` of a response, each of one person and clip.
    The reference may also come from
    :func:`biomech.applications.technique_reference.reference_of`. Then ``reason`` lists the
    properties that it lacks, which are assumed to agree. ``reason`` has ``near_far_bias`` if a
    different side was nearer to the camera, because that alone makes the sides differ.

    The mean curves (``phases``) are compared in two ways. Unwarped, at each of 101 points:
    ``rmsd_deg``, and ``max_dev_deg`` at ``at_pct`` of the movement. After dynamic time warping:
    ``dtw_norm`` is the remaining difference in tolerances, and ``timing`` the mean shift in time as
    a share of the movement. The tolerance is the scatter of the reference's own repetitions, at
    least ``tolerance_deg``.

    Returns:
        An outcome, ``not_comparable`` if view, definitions, movement, filter or kind of angle
        differ.
    """
    mismatch = differences(athlete, reference)
    mine = athlete.get("phases")
    other = _cut_alike(reference, mine["driver"] if mine else None)
    if not mine or not other:
        which = "reference" if mine else "result"
        reason = f"the {which} has no whole repetition"
        return TechniqueOutcome(status=INSUFFICIENT_DATA, reason=reason)
    if mine["of"] != other["of"]:
        mismatch.append(f"one has {mine['of']}s, the other {other['of']}s")
    elif _joint_of(mine["driver"]) != _joint_of(other["driver"]):
        mismatch.append(f"repetitions are of {mine['driver']} and of {other['driver']}")
    ways = [which.get("direction") for which in (mine, other)]  # None in results of bm-1
    if None not in ways and ways[0] != ways[1]:
        mismatch.append(f"repetitions begin with {ways[0]} and with {ways[1]}")
    if other["signed"] not in (None, mine["signed"]):
        mismatch.append("only one of the two has signed angles")
    if mismatch:
        return TechniqueOutcome(status=NOT_COMPARABLE, reason="; ".join(mismatch))
    names = [name for name in mine["joints"] if name in other["joints"]]
    if not names:
        return TechniqueOutcome(status=INSUFFICIENT_DATA, reason="no joint is seen in both")
    a, b = (_means(phases["joints"], names) for phases in (mine, other))
    if other["signed"] is None:
        a = np.abs(a)
    warp = dtw(a, b, _tolerance(other["joints"], names, tolerance_deg))
    return TechniqueOutcome(
        status=OK,
        reason="; ".join(_notes(athlete, reference)) or None,
        of=mine["of"],
        dtw_norm=number(warp.norm),
        timing=number(timing(warp.path, len(a))),
        joints={name: _apart(a[:, i] - b[:, i]) for i, name in enumerate(names)},
    )


def _notes(athlete: Mapping[str, Any], reference: Mapping[str, Any]) -> Iterator[str]:
    """Return cautions about two movements that are nevertheless compared."""
    unsaid = [name for name in (*_MUST_MATCH, _FILTER) if name not in reference]
    if unsaid:
        yield f"taken to agree, as the reference does not say: {', '.join(unsaid)}"
    if nearness_differs(athlete, reference):
        sides = (athlete["near_side"], reference["near_side"])
        yield f"{NEAR_FAR_BIAS}: nearer to the camera is {sides[0]}, in the reference {sides[1]}"


def nearness_differs(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Return True if different sides are known to be nearer to the camera."""
    sides = {a.get("near_side"), b.get("near_side")} - {None}
    return len(sides) > 1


def _cut_alike(reference: Mapping[str, Any], driver: str | None) -> Mapping[str, Any] | None:
    """Return the mean movement of the reference, cut by the joint ``driver`` if possible."""
    cuts: Mapping[str, Any] = reference.get("cuts", {})
    alike = [name for name in cuts if _joint_of(name) == _joint_of(driver)]
    own_side_first = sorted(alike, key=lambda name: name != driver)
    return cuts[own_side_first[0]] if alike else reference.get("phases")


def _joint_of(driver: str | None) -> str | None:
    """Return the joint that drives the repetitions, without its side, which may be noise."""
    return driver and driver.removeprefix("left_").removeprefix("right_")


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return why two results are not comparable: different processing, view or movement.

    A property that one of them lacks is assumed to agree.
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
    """Return the mean curves (101, j) in degrees."""
    return np.array([joints[name]["mean"] for name in names], np.float64).T


def _tolerance(joints: Mapping[str, Any], names: list[str], least_deg: float) -> Array:
    """Return the tolerances (j,) in degrees; a reference of one repetition has no scatter."""
    scatter = [np.mean(joints[name]["sd"]) if joints[name]["sd"] else 0.0 for name in names]
    return np.maximum(np.array(scatter, np.float64), least_deg)


def _apart(deviation: Array) -> JointDeviation:
    largest = int(np.abs(deviation).argmax())
    return JointDeviation(
        rmsd_deg=rounded(float(np.sqrt(np.mean(deviation**2)))),
        max_dev_deg=rounded(float(deviation[largest])),
        at_pct=rounded(100.0 * largest / (len(deviation) - 1)),
    )
