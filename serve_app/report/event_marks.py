"""Events of a summary as marks over the curves."""

from collections.abc import Iterator
from typing import Final

from serve_app.report.chart import Mark
from serve_app.report.saved_summary import PersonSummary

PEAK: Final = "peak of a repetition"
CONTACT: Final = "contact with the ground"
FLIGHT: Final = "flight"


def marks_of(summary: PersonSummary) -> Iterator[Mark]:
    """Contacts where the person walks, else peaks of repetitions; and flights."""
    contacts = [e for e in summary.gait.events if e.kind == "contact"] if summary.gait else []
    for event in contacts:
        yield Mark(event.t_s, event.t_s, CONTACT, event.side)
    for rep in () if contacts else summary.reps:
        yield Mark(rep.t_peak_s, rep.t_peak_s, PEAK)
    for jump in summary.jumps:
        yield Mark(jump.t_takeoff_s, jump.t_landing_s, FLIGHT)
