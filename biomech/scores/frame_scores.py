"""Compute composite scores: weighted means of named components, returned with the components.

The weights are engineering weights, not clinical scales. Quality of measurement (pose quality) and
quality of movement are separate scores. The weight of a missing component goes to the others,
except in stability, which is null without either component. A score with several definitions names
the one used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from biomech import reasons
from biomech.config import BiomechanicsConfig
from biomech.kinematics.geometry import Array
from biomech.kinematics.view import FRONTAL, OBLIQUE, SAGITTAL, View
from biomech.reasons import Flags, Reasons
from biomech.scores.balance import Balance
from biomech.skeleton import SKELETON
from biomech.time_windows import ratio

STANDING: Final = "standing"
STATIC: Final = "static"
GAIT: Final = "gait"
POSTURE: Final = "posture"
"""Definitions of the score of a frame."""

_QUALITY_WEIGHTS: Final = np.array([0.2] * len(SKELETON.face) + [1.0] * len(SKELETON.body))


@dataclass(frozen=True, slots=True)
class Score:
    """A score over a clip.

    Attributes:
        value: (f,), NaN where null. reason: (f,) reason of a null, else empty.
        components: (f,) by name, NaN where missing.
        coverage: (f,) share of the components' weights that are present.
        maximum: of the value; the minimum is 0.
        definition: (f,) name of the definition used; None if there is only one.
    """

    value: Array
    reason: Reasons
    components: Mapping[str, Array]
    coverage: Array
    maximum: float = 100.0
    definition: Reasons | None = None

    def only_where(self, reason: Reasons) -> "Score":
        """Return the same score, null with ``reason`` where that is not empty."""
        return replace(
            self,
            value=np.where(reason == "", self.value, np.nan),
            reason=reasons.first(reason, self.reason),
        )

    def defined(self, name: str) -> "Score":
        """Return the same with ``name`` as the definition of every frame."""
        return replace(self, definition=np.full(len(self.value), name, self.reason.dtype))

    def where(self, chosen: Flags, other: "Score") -> "Score":
        """Return ``other`` where ``chosen`` (f,), else this score, each with its components."""
        nothing = np.full(len(self.value), np.nan)

        def pick(ours: Array, theirs: Array) -> Array:
            return np.where(chosen, theirs, ours)

        names = [*self.components, *(n for n in other.components if n not in self.components)]
        both = (self.definition, other.definition)
        mine, theirs = (reasons.none(len(nothing)) if d is None else d for d in both)
        return Score(
            pick(self.value, other.value),
            np.where(chosen, other.reason, self.reason),
            {
                name: pick(self.components.get(name, nothing), other.components.get(name, nothing))
                for name in names
            },
            pick(self.coverage, other.coverage),
            self.maximum,
            np.where(chosen, theirs, mine),
        )

    def disabled(self) -> "Score":
        """Return the same score disabled: null, without components."""
        return replace(
            self,
            value=np.full(len(self.value), np.nan),
            reason=reasons.where(np.ones(len(self.value), np.bool_), reasons.DISABLED),
            components={},
        )


def weighted(
    components: Mapping[str, Array],
    weights: tuple[float, ...],
    config: BiomechanicsConfig,
    maximum: float,
) -> Score:
    """Return ``maximum`` times the weighted mean of the present components, each 0 to 1.

    Null where less than ``config.min_coverage`` of the weights is present (``low_coverage``).
    """
    stacked = np.stack(list(components.values()))
    present = np.where(np.isfinite(stacked), np.array(weights)[:, None], 0.0)
    # Rounding must not put a coverage of exactly one half below the minimum.
    coverage = present.sum(0) / sum(weights)
    enough = coverage >= config.min_coverage - 1e-9
    value = maximum * ratio((np.nan_to_num(stacked) * present).sum(0), present.sum(0))
    return Score(
        np.where(enough, np.clip(value, 0.0, maximum), np.nan),
        reasons.where(~enough, reasons.LOW_COVERAGE),
        components,
        coverage,
        maximum,
    )


def pose_quality(score: Array, min_score: float) -> Score:
    """Return 0-100 from keypoint scores (f, 17): share seen times mean score of those seen.

    The 12 points of the body weigh 1, the 5 of the face 0.2. The score rates the measurement, and
    is comparable only within one model.
    """
    clamped = np.clip(np.nan_to_num(score), 0.0, 1.0)
    seen = np.where(clamped >= min_score, _QUALITY_WEIGHTS, 0.0)
    total = _QUALITY_WEIGHTS.sum()
    components = {
        "visible_share": seen.sum(-1) / total,
        "mean_visible_score": ratio((clamped * seen).sum(-1), seen.sum(-1)),
    }
    value = 100.0 * (clamped * seen).sum(-1) / total
    return Score(value, reasons.none(len(value)), components, np.ones(len(value)))


def symmetry(pairs: Mapping[str, tuple[Array, Array]], config: BiomechanicsConfig) -> Score:
    """Return the symmetry of posture, 1 for a mirrored one, from both sides' angles (f,) by joint.

    It rates the posture of a frame: even walking scores low in most frames.
    """
    alike = {
        joint: 1.0 - np.minimum(np.abs(left - right) / config.symmetry_span_deg, 1.0)
        for joint, (left, right) in pairs.items()
    }
    return weighted(alike, (1.0,) * len(alike), config, 1.0).defined(POSTURE)


def stability(balance: Balance, view: View, missing: Reasons, config: BiomechanicsConfig) -> Score:
    """Return 0-100 from the margin of balance and sway, both of which must be known.

    A single picture has no sway; its definition ``static`` uses only the margin.
    ``missing`` (f,) gives the reason where too few points of the body are seen.
    """
    margin = {"margin": balance.margin, "sway": balance.sway}
    weights = (1.0, 0.0) if balance.static else config.stability_weights
    score = weighted(margin, weights, config, 100.0).defined(STATIC if balance.static else STANDING)
    swayless = ~np.isfinite(balance.sway) & (not balance.static)
    noisy = np.full(len(swayless), balance.noisy)
    sagittal = view.kind == SAGITTAL
    too_little = (balance.mass < config.min_mass) | ~balance.ankles
    return score.only_where(
        reasons.first(
            np.where(too_little, missing, ""),
            reasons.where(view.kind == "", reasons.LOW_CONFIDENCE),
            reasons.where(view.kind == OBLIQUE, reasons.VIEW_MISMATCH),
            reasons.where(sagittal & (view.facing == 0), reasons.FACING_UNKNOWN),
            reasons.where(
                sagittal & (balance.travel > config.locomotion_speed), reasons.LOCOMOTION
            ),
            reasons.where(~balance.known, reasons.INSUFFICIENT_HISTORY),
            reasons.where(~balance.grounded, reasons.NO_SUPPORT),
            reasons.where(swayless & noisy, reasons.NOISE),
            reasons.where(swayless, reasons.INSUFFICIENT_HISTORY),
            reasons.where(~np.isfinite(balance.margin), reasons.NO_SUPPORT),
        )
    )


def alignment(
    lean: Array, tilts: tuple[Array, Array], view: View, config: BiomechanicsConfig
) -> Array:
    """Return the alignment (f,) of trunk, shoulders and hips, 0-1, in frontal views only."""
    parts = [1.0 - np.minimum(np.abs(lean) / config.lean_span_deg, 1.0)]
    parts += [1.0 - np.minimum(np.abs(tilt) / config.tilt_span_deg, 1.0) for tilt in tilts]
    return np.where(view.kind == FRONTAL, np.mean(parts, axis=0), np.nan)


def readiness(
    stable: Score,
    symmetric: Score,
    aligned: Array,
    config: BiomechanicsConfig,
    smooth: Array | None = None,
    pace: Array | None = None,
) -> Score:
    """Return 0-100 from stability, symmetry, alignment, smoothness and pace.

    Smoothness and pace exist only within phases of a movement, which
    :func:`biomech.scores.readiness.with_smoothness` adds later. Null with fewer than
    ``config.readiness_parts`` components.
    """
    unknown = np.full(len(aligned), np.nan)
    components = {
        "stability": stable.value / stable.maximum,
        "symmetry": symmetric.value / symmetric.maximum,
        "alignment": aligned,
        "smoothness": unknown if smooth is None else smooth,
        "pace": unknown if pace is None else pace,
    }
    parts = np.isfinite(np.stack(list(components.values()))).sum(0)
    score = weighted(components, config.readiness_weights, config, 100.0)
    return score.only_where(reasons.where(parts < config.readiness_parts, reasons.LOW_COVERAGE))
