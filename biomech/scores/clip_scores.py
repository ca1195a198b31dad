"""Average the scores of frames over the clip: ``biomechanics_summary[].scores``."""

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from biomech import reasons
from biomech.config import BiomechanicsConfig
from biomech.reasons import Flags, Reasons
from biomech.records.person_record import ClipScore
from biomech.records.values import ScoreDefinition
from biomech.scores.frame_scores import Score, weighted

READINESS = "athletic_readiness"
_DECIMALS = 4


def clip_scores(
    movement: Mapping[str, Score], present: Flags, config: BiomechanicsConfig
) -> dict[str, ClipScore]:
    """Return each score of a clip.

    A score is the mean over the frames with a value of the commonest definition. It is null, with
    the commonest reason, if less than ``config.min_coverage`` of the person's frames have one.
    Readiness is recomputed from the means of its components, over the phases of the movement if
    there are any. Stillness before and after a set therefore does not change it.
    """
    told = {
        name: _clip_score(score, present, config)
        for name, score in movement.items()
        if name != READINESS
    }
    return told | {READINESS: _clip_readiness(movement[READINESS], present, config)}


def _clip_score(score: Score, present: Flags, config: BiomechanicsConfig) -> ClipScore:
    known = np.isfinite(score.value) & present
    definition = None
    if score.definition is not None and known.any():
        definition = _commonest(score.definition[known])
        known &= score.definition == definition
    share = float(known.sum() / present.sum()) if present.any() else 0.0
    enough = share >= config.min_coverage - 1e-9 and known.any()
    coverage = _mean(score.coverage[known])
    return ClipScore(
        value=_number(float(score.value[known].mean())) if enough else None,
        definition=cast(ScoreDefinition, definition) if enough and definition else None,
        components={name: _mean(part[known]) for name, part in score.components.items()}
        if enough
        else {},
        coverage=coverage if coverage is not None else 0.0,
        frames_share=round(share, _DECIMALS),
        reason=None if enough else _why(score.reason[present]),
    )


def _clip_readiness(score: Score, present: Flags, config: BiomechanicsConfig) -> ClipScore:
    if not score.components:
        return _clip_score(score, present, config)
    moves = present & np.isfinite(score.components["smoothness"])
    counted = moves if moves.any() else present
    parts = {
        name: _mean(part[counted])
        if np.isfinite(part[counted]).sum() >= config.min_coverage * counted.sum()
        else None
        for name, part in score.components.items()
    }
    made = weighted(
        {name: np.array([math.nan if part is None else part]) for name, part in parts.items()},
        config.readiness_weights,
        config,
        score.maximum,
    )
    enough = sum(part is not None for part in parts.values()) >= config.readiness_parts
    value = _number(float(made.value[0])) if enough else None
    share = float(np.isfinite(score.value[present]).mean()) if present.any() else 0.0
    return ClipScore(
        value=value,
        definition=None,
        components=parts,
        coverage=round(float(made.coverage[0]), _DECIMALS),
        frames_share=round(share, _DECIMALS),
        reason=None if value is not None else _why(score.reason[present & (score.reason != "")]),
    )


def _why(words: Reasons) -> str:
    found = words[words != ""]
    return _commonest(found) if len(found) else reasons.LOW_COVERAGE


def _commonest(words: Reasons) -> str:
    kinds, counts = np.unique(words, return_counts=True)
    return str(kinds[counts.argmax()])


def _mean(values: np.ndarray[Any, Any]) -> float | None:
    known = values[np.isfinite(values)]
    return _number(float(known.mean())) if len(known) else None


def _number(value: float) -> float | None:
    return round(value, _DECIMALS) if math.isfinite(value) else None
