"""Read the summary of one person, within bounds, for a report.

All of it may be missing: results differ in what was seen, and in what is switched on.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from serve_app.results.saved_result import (
    Label,
    Number,
    SavedFilter,
    Word,
    not_a_result,
    without_nulls,
)

Side = Literal["left", "right"] | None
Text = Annotated[str, Field(max_length=2000)]
Time = Annotated[float, Field(ge=-1e6, le=1e6)]
Interval = tuple[Number | None, Number | None]


class SavedMeasure(BaseModel):
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


class SavedRepetition(BaseModel):
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


class SavedGait(BaseModel):
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


class SavedCaution(BaseModel):
    """Something that stands between the clip and sound numbers."""

    detail: Text
    share: Annotated[float, Field(ge=0, le=1)]


class SavedApplication(BaseModel):
    """Outcome of an application."""

    status: str
    reason: Text | None = None


class SavedAlert(BaseModel):
    """A range that was left."""

    side: Side = None
    t_start_s: Time | None = None
    value: Number | None = None
    ci95: Interval | None = None
    text: Text
    source: Text | None = None
    note: Text | None = None


class Monitoring(SavedApplication):
    """Ranges that were watched."""

    alerts: list[SavedAlert] = []


class SavedDifference(BaseModel):
    """The sides compared in one measure; + is right larger."""

    metric: Word
    unit: Annotated[str, Field(max_length=16)]
    diff: Number | None
    ci95: Interval | None = None
    real: bool | None = None
    reason: Text | None = None


class Asymmetry(SavedApplication):
    """The sides compared."""

    differences: list[SavedDifference] = []


class SavedTrend(BaseModel):
    """Drift of one measure within the clip."""

    metric: Word
    side: Side = None
    unit: Annotated[str, Field(max_length=16)]
    slope_per_min: Number | None
    ci95: Interval | None = None
    total_change: Number | None = None
    drift: bool | None = None


class Fatigue(SavedApplication):
    """Drift within the clip."""

    trends: list[SavedTrend] = []


class Deviation(BaseModel):
    """Distance of a joint's mean curve from the reference's, degrees."""

    rmsd_deg: Number
    max_dev_deg: Number
    at_pct: Number


class Technique(SavedApplication):
    """The mean movement laid over that of a reference."""

    of: Word | None = None
    dtw_norm: Number | None = None
    timing: Number | None = None
    joints: dict[Word, Deviation] = {}


class SavedChange(BaseModel):
    """One measure before and now."""

    metric: Word
    side: Side = None
    unit: Annotated[str, Field(max_length=16)]
    delta: Number | None
    ci95: Interval | None = None
    verdict: Label | None = None


class Progress(SavedApplication):
    """Changes since an earlier result."""

    changes: list[SavedChange] = []


class SavedApplications(BaseModel):
    """Applications that a report shows."""

    monitoring: Monitoring | None = None
    asymmetry: Asymmetry | None = None
    fatigue: Fatigue | None = None
    technique: Technique | None = None
    progress: Progress | None = None


class SavedPersonSummary(BaseModel):
    """The summary of one person."""

    reason: Label | None = None
    definitions: Label = ""
    movement: Label | None = None
    view: Label | None = None
    filter: SavedFilter = SavedFilter()
    height_m: Number | None = None
    flags: list[Label] = []
    joints: dict[Word, Joint] = {}
    driver: Word | None = None
    direction: Word | None = None
    reps: list[SavedRepetition] = []
    gait: SavedGait | None = None
    jumps: list[Jump] = []
    quality: list[SavedCaution] = []
    measures: list[SavedMeasure] = []
    applications: SavedApplications = SavedApplications()


def read_summary(document: Mapping[str, Any]) -> SavedPersonSummary:
    """Read the summary of one person.

    Raises:
        BadParameterError: a part is not what it should be; says where.
    """
    try:
        return SavedPersonSummary.model_validate(without_nulls(document))
    except ValidationError as error:
        raise not_a_result(error) from error
