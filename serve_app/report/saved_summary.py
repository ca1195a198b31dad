"""Read the summary of one person, within bounds, for a report.

All of it may be missing: results differ in what was seen, and in what is switched on.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from serve_app.results.saved_result import Filter, Label, Number, Word, not_a_result, without_nulls

Side = Literal["left", "right"] | None
Text = Annotated[str, Field(max_length=2000)]
Time = Annotated[float, Field(ge=-1e6, le=1e6)]
Interval = tuple[Number | None, Number | None]


class Measure(BaseModel):
    """Values of a measure, one a repetition, stride, jump or landing, and when."""

    metric: Word
    side: Side
    unit: Annotated[str, Field(max_length=16)]
    n: Annotated[int, Field(ge=1)]
    mean: Number
    sd: Number | None
    t_s: list[Time] = []
    values: list[Number] = []


class Joint(BaseModel):
    """Range of a flexion, or of the trunk's lean, over the clip, degrees."""

    min: Number | None = None
    max: Number | None = None
    rom: Number | None = None
    rom_ci95: Interval | None = None
    reason: Word | None = None
    expected_error_deg: Number | None = None


class Repetition(BaseModel):
    """One repetition, with the largest angle of each joint, degrees."""

    t_start_s: Time | None = None
    t_peak_s: Time
    t_end_s: Time | None = None
    peak_deg: dict[Word, Number | None] = {}
    depth_class: Word | None = None


class Contact(BaseModel):
    """A contact with the ground, or a toe-off."""

    kind: Literal["contact", "toe_off"]
    side: Side
    t_s: Time


class Gait(BaseModel):
    """Walking or running."""

    running: bool = False
    cadence_per_min: Number | None = None
    events: list[Contact] = []


class Jump(BaseModel):
    """A flight."""

    t_takeoff_s: Time
    t_landing_s: Time
    height_m: Number | None = None
    height_error_m: Number | None = None
    height_range_m: tuple[Number, Number] | None = None


class Caution(BaseModel):
    """Something that stands between the clip and sound numbers."""

    detail: Text
    share: Annotated[float, Field(ge=0, le=1)]


class Application(BaseModel):
    """Outcome of an application."""

    status: str
    reason: Text | None = None


class Alert(BaseModel):
    """A range that was left."""

    side: Side = None
    t_start_s: Time | None = None
    value: Number | None = None
    ci95: Interval | None = None
    text: Text
    source: Text | None = None
    note: Text | None = None


class Monitoring(Application):
    """Ranges that were watched."""

    alerts: list[Alert] = []


class Difference(BaseModel):
    """The sides compared in one measure; + is right larger."""

    metric: Word
    unit: Annotated[str, Field(max_length=16)]
    diff: Number | None
    ci95: Interval | None = None
    real: bool | None = None
    reason: Text | None = None


class Asymmetry(Application):
    """The sides compared."""

    differences: list[Difference] = []


class Trend(BaseModel):
    """Drift of one measure within the clip."""

    metric: Word
    side: Side = None
    unit: Annotated[str, Field(max_length=16)]
    slope_per_min: Number | None
    ci95: Interval | None = None
    total_change: Number | None = None
    drift: bool | None = None


class Fatigue(Application):
    """Drift within the clip."""

    trends: list[Trend] = []


class Deviation(BaseModel):
    """Distance of a joint's mean curve from the reference's, degrees."""

    rmsd_deg: Number
    max_dev_deg: Number
    at_pct: Number


class Technique(Application):
    """The mean movement laid over that of a reference."""

    of: Word | None = None
    dtw_norm: Number | None = None
    timing: Number | None = None
    joints: dict[Word, Deviation] = {}


class Change(BaseModel):
    """One measure before and now."""

    metric: Word
    side: Side = None
    unit: Annotated[str, Field(max_length=16)]
    delta: Number | None
    ci95: Interval | None = None
    verdict: Label | None = None


class Progress(Application):
    """Changes since an earlier result."""

    changes: list[Change] = []


class Applications(BaseModel):
    """Applications that a report shows."""

    monitoring: Monitoring | None = None
    asymmetry: Asymmetry | None = None
    fatigue: Fatigue | None = None
    technique: Technique | None = None
    progress: Progress | None = None


class PersonSummary(BaseModel):
    """The summary of one person."""

    reason: Label | None = None
    definitions: Label = ""
    movement: Label | None = None
    view: Label | None = None
    filter: Filter = Filter()
    height_m: Number | None = None
    flags: list[Label] = []
    joints: dict[Word, Joint] = {}
    driver: Word | None = None
    direction: Word | None = None
    reps: list[Repetition] = []
    gait: Gait | None = None
    jumps: list[Jump] = []
    quality: list[Caution] = []
    measures: list[Measure] = []
    applications: Applications = Applications()


def read_summary(document: Mapping[str, Any]) -> PersonSummary:
    """The summary of one person.

    Raises:
        BadParameterError: a part is not what it should be; says where.
    """
    try:
        return PersonSummary.model_validate(without_nulls(document))
    except ValidationError as error:
        raise not_a_result(error) from error
