"""Compute the angles of one person over a clip, with standard deviations and null reasons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from statistics import NormalDist
from typing import Final

import numpy as np

from biomech import reasons
from biomech.config import BiomechanicsConfig
from biomech.joints import INCLUDED_ANGLES, JOINT_ANGLES, joint_of
from biomech.kinematics.geometry import (
    ANGLES,
    LEVELS,
    Array,
    Vector,
    centered,
    flexion,
    fppa,
    keypoints_of,
    length,
    possible,
    segments_with,
    tilt,
    trunk_lean,
    unsigned,
    wrap,
)
from biomech.kinematics.uncertainty import (
    end_sigma,
    flexion_sigma,
    lean_sigma,
    monte_carlo_intervals,
    tilt_sigma,
)
from biomech.kinematics.view import FRONTAL, SAGITTAL, View
from biomech.preprocessing.visibility import VisibleKeypoints
from biomech.reasons import Flags, Reasons
from biomech.skeleton import INDEX, SIDES
from biomech.time_windows import percentile

Z95: Final = 1.959963984540054
"""Half width of a 95 % interval in standard deviations."""

_LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Angle:
    """One angle over a clip.

    Attributes:
        value: (f,) degrees, NaN where null. reason: (f,) why it is null, empty where it is not.
        sigma: (f,) standard deviation in degrees, NaN where the segments are too short for one.
        low, high: range of the value.
        drawn: (f, 2) 95 % intervals by drawing, NaN where ``sigma`` makes them or nothing does;
            None for nowhere.
    """

    value: Array
    reason: Reasons
    sigma: Array
    low: float
    high: float
    drawn: Array | None = None

    def interval(self, level: float = _LEVEL) -> Array:
        """Return the interval (f, 2) within the range of the angle, NaN where there is none.

        Monte Carlo intervals are of 95 %: other levels are NaN there.

        Raises:
            ValueError: ``level`` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level is {level}, expected a share between 0 and 1, such as 0.95")
        usual = level == _LEVEL
        spread = (Z95 if usual else NormalDist().inv_cdf(0.5 + level / 2)) * self.sigma
        ends = np.stack([self.value - spread, self.value + spread], axis=-1)
        if self.drawn is not None:
            ends = np.where(np.isfinite(self.drawn), self.drawn if usual else np.nan, ends)
        return np.clip(ends, self.low, self.high)

    def disabled(self) -> "Angle":
        """Return the same angle with null values."""
        return replace(
            self,
            value=np.full(len(self.value), np.nan),
            reason=reasons.where(np.ones(len(self.value), np.bool_), reasons.DISABLED),
            drawn=None,
        )


@dataclass(frozen=True)
class AngleMaker:
    """Make the angles of one person from points and deviations.

    Attributes:
        gated: the points that are seen.
        sigma: (f, 17, 2) pixels, of the model where it gave any, else the prior.
        model_sigma: (f, 17, 2) pixels, of the model alone, 0 where it gave none: only what was
            measured makes an angle null, the prior is wide on purpose.
        view: of the person.
        trunk: the line of the trunk.
        config: thresholds.
    """

    gated: VisibleKeypoints
    sigma: Array
    model_sigma: Array
    view: View
    trunk: Vector
    config: BiomechanicsConfig

    @cached_property
    def segments(self) -> dict[str, Vector]:
        """Segments by name, with the trunk in use."""
        return segments_with(self.trunk)

    @cached_property
    def flexions(self) -> dict[str, Angle]:
        """Flexions of :data:`biomech.kinematics.geometry.ANGLES`, as for facing image right.

        Null where no joint can bend so far, whichever way the person faces.
        """
        made = {}
        for name, terms in ANGLES.items():
            vectors = [self.segments[segment] for _, segment in terms]
            bent = flexion(name, self.gated.xy, self.segments)
            made[name] = self._angle(
                bent,
                flexion_sigma(name, self.gated.xy, self.sigma, self.segments),
                vectors,
                self.gated.missing(keypoints_of(name, self.segments)),
                (-180.0, 180.0),
                reasons.where(~possible(name, bent), reasons.BEYOND_JOINT_RANGE),
            )
        return made

    def joint_angles(self) -> dict[str, Angle]:
        """Return the angles in ``joint_angles`` of the response."""
        return {name: self.unsigned[name] for name in JOINT_ANGLES}

    def included(self) -> dict[str, Angle]:
        """Return the angles in ``detail.included`` of the response."""
        return {name: self.unsigned[name] for name in INCLUDED_ANGLES}

    @cached_property
    def unsigned(self) -> dict[str, Angle]:
        """Included angles of elbows, knees and hips; elevation of the shoulders; 0-180."""
        made = {}
        for name, signed in self.flexions.items():
            terms = [(sign, self.segments[segment]) for sign, segment in ANGLES[name]]
            angle = Angle(unsigned(name, signed.value), signed.reason, signed.sigma, 0.0, 180.0)
            made[name] = self._with_drawn(angle, terms, partial(unsigned, name))
        return made

    def lean(self) -> Angle:
        """Return the inclination of the trunk, + toward image right."""
        return self._angle(
            trunk_lean(self.gated.xy, self.trunk),
            np.hypot(lean_sigma(self.gated.xy, self.sigma, self.trunk), self.config.sigma_roll_deg),
            [self.trunk],
            self.gated.missing(self.trunk),
            (-180.0, 180.0),
        )

    def tilts(self) -> dict[str, Angle]:
        """Return the tilts of hips and shoulders, + left higher; null in views too far aside."""
        turned = np.isfinite(self.view.ratio) & (self.view.ratio < self.config.level_ratio)
        turned |= self.view.inferred
        made = {}
        for part, line in LEVELS.items():
            made[part] = self._angle(
                tilt(part, self.gated.xy),
                np.hypot(tilt_sigma(part, self.gated.xy, self.sigma), self.config.sigma_roll_deg),
                [line],
                reasons.first(
                    self.gated.missing(line),
                    reasons.where(self.view.kind == "", reasons.LOW_CONFIDENCE),
                    reasons.where(turned, reasons.VIEW_MISMATCH),
                ),
                (-90.0, 90.0),
            )
        return made

    def body_alignment(self, lean: Angle, tilts: Mapping[str, Angle]) -> dict[str, Angle]:
        """Return the three angles of the response, unsigned, of :meth:`lean` and :meth:`tilts`."""
        return {
            "spine_angle": self._with_drawn(magnitude(lean), [(1, self.trunk)], _off_vertical),
            **{
                f"{part}_level_difference": self._with_drawn(
                    magnitude(tilts[part]), [(1, line)], _off_level
                )
                for part, line in LEVELS.items()
            },
        }

    def sagittal(self) -> dict[str, Angle]:
        """Return signed flexions and forward lean; null but in sagittal views of known facing.

        Flexions of elbows are sizes, which need no facing.
        """
        aside = reasons.where(self.view.kind != SAGITTAL, reasons.VIEW_MISMATCH)
        unseen = reasons.first(aside, reasons.where(self.view.facing == 0, reasons.FACING_UNKNOWN))
        made = {}
        for name, angle in self.flexions.items():
            key, joint = f"{name}_flexion", joint_of(name)
            if joint.signed:
                turned = _turned(angle, self.view.facing, unseen)
                made[key] = _within(name, turned, joint.possible_deg)
            else:
                made[key] = _turned(magnitude(angle), np.ones(len(angle.value)), aside)
        return made | {"trunk_lean": _turned(self.lean(), self.view.facing, unseen)}

    def frontal(self) -> dict[str, Angle]:
        """Return knee FPPA and lateral lean, + to the person's right; frontal views only."""
        unseen = reasons.where(self.view.kind != FRONTAL, reasons.VIEW_MISMATCH)
        made = {
            "trunk_lateral_lean": _turned(
                self.lean(),
                -self.view.to_camera,
                reasons.first(
                    unseen, reasons.where(self.view.to_camera == 0, reasons.FACING_UNKNOWN)
                ),
            )
        }
        hips = self.gated.missing(LEVELS["hip"])
        for side in SIDES:
            knee = self.flexions[f"{side}_knee"]
            value = fppa(side, self.gated.xy)
            reason = reasons.first(
                unseen,
                knee.reason,
                hips,
                reasons.where(~np.isfinite(value), reasons.DEGENERATE_GEOMETRY),
            )
            made[f"{side}_fppa"] = Angle(
                np.where(reason == "", value, np.nan), reason, knee.sigma, -180.0, 180.0
            )
        return made

    def joint_flags(self) -> dict[str, dict[str, Flags]]:
        """Return flags (f,) of each joint angle by name, which say how to read it.

        ``near_fold``: so near an end of its range that errors only go one way.
        ``out_of_plane``: a segment appears so short that it must point out of the picture.
        """
        made = {}
        for name in JOINT_ANGLES:
            angle = self.unsigned[name]
            fold = np.minimum(angle.value, 180.0 - angle.value)
            short = np.zeros(len(fold), bool)
            for _, segment in ANGLES[name]:
                span = length(self.segments[segment], self.gated.xy)
                short |= span < self.config.out_of_plane_share * percentile(span, 95)
            made[name] = {
                "near_fold": fold < self.config.near_fold_sigmas * angle.sigma,
                "out_of_plane": short & np.isfinite(angle.value),
            }
        return made

    def _with_drawn(
        self, angle: Angle, terms: list[tuple[int, Vector]], fold: Callable[[Array], Array]
    ) -> Angle:
        """Add intervals by drawing where the closed form has none.

        Only where the model says how sure it is: the prior is so wide that a short segment between
        two of its points could lie anyhow.
        """
        needed = [INDEX[name] for _, vector in terms for name in vector]
        told = (self.model_sigma[:, needed] > 0).all((1, 2))
        frames = np.flatnonzero(np.isfinite(angle.value) & ~np.isfinite(angle.sigma) & told)
        if not len(frames):
            return angle
        absolute = len(terms) == 1  # one direction alone is against the picture's axes
        drawn = np.full((len(angle.value), 2), np.nan)
        drawn[frames] = monte_carlo_intervals(
            terms,
            fold,
            self.gated.xy[frames],
            self.sigma[frames],
            self.config.sigma_roll_deg if absolute else 0.0,
        )
        return replace(angle, drawn=drawn)

    def _angle(
        self,
        value: Array,
        sigma: Array,
        vectors: list[Vector],
        missing: Reasons,
        bounds: tuple[float, float],
        beyond: Reasons | None = None,
    ) -> Angle:
        short = np.zeros(len(value), bool)
        vague = np.zeros(len(value), bool)
        for vector in vectors:
            span = length(vector, self.gated.xy)
            known = end_sigma(vector, self.model_sigma)
            least = np.maximum(
                self.config.min_segment_sigmas * known,
                self.config.min_segment_share * percentile(span, 95),
            )
            short |= (span < least) | (span == 0)
            vague |= span < self.config.interval_segment_sigmas * end_sigma(vector, self.sigma)
        reason = reasons.first(missing, reasons.where(short, reasons.DEGENERATE_GEOMETRY))
        reason = reason if beyond is None else reasons.first(reason, beyond)
        there = reason == ""
        return Angle(
            np.where(there, value, np.nan),
            reason,
            np.where(there & ~vague, sigma, np.nan),
            *bounds,
        )


def _off_vertical(direction_deg: Array) -> Array:
    return np.abs(wrap(direction_deg - 90.0))


def _off_level(direction_deg: Array) -> Array:
    turned = np.abs(direction_deg)
    return np.minimum(turned, 180.0 - turned)


def magnitude(angle: Angle) -> Angle:
    """Return the angle without its sign."""
    return Angle(np.abs(angle.value), angle.reason, angle.sigma, 0.0, angle.high)


def _turned(angle: Angle, sign: Array, unseen: Reasons) -> Angle:
    reason = reasons.first(unseen, angle.reason)
    value = np.where(reason == "", angle.value * sign, np.nan)
    return Angle(value, reason, angle.sigma, angle.low, angle.high)


def _within(name: str, angle: Angle, bounds: tuple[float, float]) -> Angle:
    """Return the signed flexion ``name`` of an angle, null beyond what the joint can do."""
    low, high = bounds
    value = centered(name, angle.value)
    beyond = (value < low) | (value > high)
    return Angle(
        np.where(beyond, np.nan, value),
        reasons.first(angle.reason, reasons.where(beyond, reasons.BEYOND_JOINT_RANGE)),
        angle.sigma,
        low,
        high,
    )
