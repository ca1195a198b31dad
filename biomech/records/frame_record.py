"""Define one person in one frame: the ``biomechanics`` object of a response."""

from dataclasses import dataclass, field
from typing import Annotated

from biomech.records.frame_fields import FIELDS
from biomech.records.values import ABSENT, Named, ShoulderReference, SigmaSource

Quantities = dict[str, float | None]
"""Numbers by name."""

View = Annotated[
    dict[str, str | int | float | None], Named(("class", "yaw_deg", "ratio", "facing"))
]
"""The view of a frame; a dictionary, as ``class`` is no name of an attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDetail:
    """Signed angles, nominal 95 % intervals, parts of the scores, reasons of nulls."""

    signed: Quantities
    """Angles of the plane that the view shows, degrees; those of the other plane are absent."""
    included: Quantities
    """Angles without a sign that `joint_angles` has not, degrees."""
    levels: dict[str, Quantities]
    """Height of the left over the right: px, % of stature, cm where a height was given."""
    ci95: dict[str, tuple[float, float] | None]
    """Nominal 95 % interval of each angle, degrees."""
    nulls: dict[str, str]
    """Why a value is null, by its name."""
    components: dict[str, dict[str, float | str | None]]
    """Parts of each score, and how it was made."""
    definitions: dict[str, str]
    """Which of its definitions a score is made by."""
    view: View
    """`class`, degrees by which the person is turned, width of the shoulders, way they face."""
    flags: list[str]
    joint_flags: dict[str, list[str]]
    sigma_source: SigmaSource | None
    """Source of the deviations of the points."""
    sigma_calibrated: bool = False
    """False: intervals are nominal until a calibration is in force."""
    shoulder_reference: ShoulderReference | None = field(default=None, metadata=ABSENT)
    """`ipsilateral` where one side alone is seen and defines the trunk; else absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDetail:
    """The detail of a frame without biomechanics."""

    nulls: dict[str, str] | None = field(default=None, metadata=ABSENT)
    """Why every value is null; absent where nobody is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameBiomechanics:
    """Angles in degrees, scores; null where a point needed is missing (reasons in `detail`)."""

    joint_angles: Annotated[Quantities, Named(FIELDS["joint_angles"], "JointAngles")]
    """Degrees."""
    movement_analysis: Annotated[Quantities, Named(FIELDS["movement_analysis"], "MovementAnalysis")]
    """Scores, 0-100; symmetry_index 0-1."""
    body_alignment: Annotated[Quantities, Named(FIELDS["body_alignment"], "BodyAlignment")]
    """Degrees."""
    detail: FrameDetail | NoDetail = field(default_factory=NoDetail)
    """Signed angles, nominal 95 % intervals, parts of the scores, reasons of nulls."""

    def interval(self, name: str) -> tuple[float, float] | None:
        """Return the nominal 95 % interval of an angle; None without one."""
        return self.detail.ci95.get(name) if isinstance(self.detail, FrameDetail) else None
