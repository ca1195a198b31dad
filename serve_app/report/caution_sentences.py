"""Say the cautions of a person's numbers in sentences."""

from collections.abc import Iterable, Iterator
from typing import Final

from biomech.kinematics.view import OBLIQUE
from biomech.records.person_record import PersonSummary

LONGEST: Final = 300
"""Characters of a sentence, or of a title."""

_MOST_LINES: Final = 8
_FLAGS: Final = {
    "roll_assumed_level": "The camera was taken as level: absolute angles are less certain.",
    "scale_drift": "The apparent size changes through the clip: there are no metres.",
}
_OBLIQUE: Final = "Filmed obliquely: angles are projections, and are too small."
_UNCALIBRATED: Final = (
    "The shaded intervals are nominal 95 %: they rest on the network's own spread, which is not "
    "calibrated. Take them as a rough guide."
)


def warnings(notices: Iterable[str], summary: PersonSummary, *, calibrated: bool) -> Iterator[str]:
    """Yield what a reader of a person's numbers must know.

    Args:
        notices: of the file. calibrated: whether the intervals rest on a calibration.
    """
    yield from notices
    yield from cautions(summary)
    if not calibrated:
        yield _UNCALIBRATED
    if error := expected_error(summary):
        yield error


def cautions(summary: PersonSummary) -> Iterator[str]:
    """Yield the cautions of the quality gate, of the view and of the camera."""
    for caution in summary.quality:
        yield f"{caution.detail} ({caution.share:.0%} of the frames)."
    if summary.view == OBLIQUE:
        yield _OBLIQUE
    for flag in summary.flags:
        if flag in _FLAGS:
            yield _FLAGS[flag]


def expected_error(summary: PersonSummary) -> str | None:
    """Say the systematic error of one camera in a sentence; None where nothing was published."""
    every = (joint.expected_error_deg for joint in summary.joints.values())
    known = sorted({error for error in every if error is not None})
    if not known:
        return None
    span = f"{known[0]:g}" if len(known) == 1 else f"{known[0]:g} to {known[-1]:g}"
    return (
        f"Intervals are about repeating the measurement; one camera is off by {span}° from motion "
        "capture on top of them, always in much the same way."
    )


def listed(texts: Iterable[str]) -> tuple[str, ...]:
    """Shorten a list of sentences to as many as anybody reads."""
    every = [text[:LONGEST] for text in texts]
    shown = [text[:1].upper() + text[1:] for text in every[:_MOST_LINES]]
    more = len(every) - len(shown)
    return (*shown, f"And {more} more, in the result itself.") if more else tuple(shown)
