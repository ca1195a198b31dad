"""Angles of one person over a clip, each with its standard deviation and why it is null."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from biomech import reasons
from biomech.config import BmConfig
from biomech.gate import Gated
from biomech.geometry import (
    ANGLES,
    LEVELS,
    SIDES,
    Array,
    Vector,
    flexion,
    fppa,
    keypoints_of,
    length,
    segments_with,
    tilt,
    trunk_lean,
    unsigned,
)
from biomech.reasons import Flags, Reasons
from biomech.skeleton import JOINT_ANGLES
from biomech.timeline import percentile
from biomech.uncertainty import end_sigma, flexion_sigma, lean_sigma, tilt_sigma
from biomech.view import FRONTAL, SAGITTAL, View


@dataclass(frozen=True, slots=True)
class Angle:
    """One angle over a clip.

    Attributes:
        value: (f,) degrees, NaN where null. reason: (f,) why it is null, empty where it is not.
        sigma: (f,) standard deviation in degrees, NaN where the segments are too short for one.
        low, high: range of the value.
    """

    value: Array
    reason: Reasons
    sigma: Array
    low: float
    high: float

    def disabled(self) -> "Angle":
        """The same where it is not to be given: null."""
        return replace(
            self,
            value=np.full(len(self.value), np.nan),
            reason=reasons.where(np.ones(len(self.value), np.bool_), reasons.DISABLED),
        )


@dataclass(frozen=True)
class AngleMaker:
    """What the angles of one person are made from.

    Attributes:
        gated: the points that are seen.
        sigma: (f, 17, 2) pixels, of the model where it gave any, else the prior.
        model_sigma: (f, 17, 2) pixels, of the model alone, 0 where it gave none: only what was
            measured makes an angle null, the prior is wide on purpose.
        view: of the person.
        trunk: the line that stands for the trunk.
        config: thresholds.
    """

    gated: Gated
    sigma: Array
    model_sigma: Array
    view: View
    trunk: Vector
    config: BmConfig

    @cached_property
    def segments(self) -> dict[str, Vector]:
        """Segments by name, with the trunk in use."""
        return segments_with(self.trunk)

    @cached_property
    def flexions(self) -> dict[str, Angle]:
        """Every flexion of :data:`biomech.geometry.ANGLES`, signed as for facing image right."""
        made = {}
        for name, terms in ANGLES.items():
            vectors = [self.segments[segment] for _, segment in terms]
            made[name] = self._angle(
                flexion(name, self.gated.xy, self.segments),
                flexion_sigma(name, self.gated.xy, self.sigma, self.segments),
                vectors,
                self.gated.missing(keypoints_of(name, self.segments)),
                (-180.0, 180.0),
            )
        return made

    def joint_angles(self) -> dict[str, Angle]:
        """The six angles of the response."""
        return {name: self.unsigned(name) for name in JOINT_ANGLES}

    def unsigned(self, name: str) -> Angle:
        """The included angle of elbow, knee or hip; the elevation of the shoulder; 0-180."""
        signed = self.flexions[name]
        return Angle(unsigned(name, signed.value), signed.reason, signed.sigma, 0.0, 180.0)

    def lean(self) -> Angle:
        """Inclination of the trunk, + toward image right."""
        return self._angle(
            trunk_lean(self.gated.xy, self.trunk),
            np.hypot(lean_sigma(self.gated.xy, self.sigma, self.trunk), self.config.sigma_roll_deg),
            [self.trunk],
            self.gated.missing(self.trunk),
            (-180.0, 180.0),
        )

    def tilts(self) -> dict[str, Angle]:
        """Tilts of hips and shoulders, + left higher; null in views from too far aside."""
        turned = np.isfinite(self.view.ratio) & (self.view.ratio < self.config.level_ratio)
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

    def sagittal(self) -> dict[str, Angle]:
        """Signed flexions and forward lean; null but in sagittal views of known facing."""
        unseen = reasons.first(
            reasons.where(self.view.kind != SAGITTAL, reasons.VIEW_MISMATCH),
            reasons.where(self.view.facing == 0, reasons.FACING_UNKNOWN),
        )
        flexed = {f"{name}_flexion": angle for name, angle in self.flexions.items()}
        return {
            name: _turned(angle, self.view.facing, unseen)
            for name, angle in (flexed | {"trunk_lean": self.lean()}).items()
        }

    def frontal(self) -> dict[str, Angle]:
        """Knee projection angles and lateral lean, + to the person's right; frontal views only."""
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
        """By joint angle and flag, (f,): what to know of its number.

        ``near_fold``: so near an end of its range that errors only go one way.
        ``out_of_plane``: a segment appears so short that it must point out of the picture.
        """
        made = {}
        for name in JOINT_ANGLES:
            angle = self.unsigned(name)
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

    def _angle(
        self,
        value: Array,
        sigma: Array,
        vectors: list[Vector],
        missing: Reasons,
        bounds: tuple[float, float],
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
        there = reason == ""
        return Angle(
            np.where(there, value, np.nan),
            reason,
            np.where(there & ~vague, sigma, np.nan),
            *bounds,
        )


def magnitude(angle: Angle) -> Angle:
    """The angle without its sign."""
    return Angle(np.abs(angle.value), angle.reason, angle.sigma, 0.0, angle.high)


def _turned(angle: Angle, sign: Array, unseen: Reasons) -> Angle:
    reason = reasons.first(unseen, angle.reason)
    value = np.where(reason == "", angle.value * sign, np.nan)
    return Angle(value, reason, angle.sigma, angle.low, angle.high)
