"""The schema of a frame's ``biomechanics.detail``, which says how its numbers came about."""

from pydantic import Field

from serve_app.results.application_schema import Number, StrictModel


class FrameLevel(StrictModel):
    """Height of the left over the right."""

    px: Number
    pct_stature: Number
    cm: Number = Field(None, description="With a known stature.")


class FrameView(StrictModel):
    """Direction from which the person is seen."""

    kind: str | None = Field(alias="class", description="sagittal, frontal or oblique.")
    yaw_deg: int | None
    ratio: Number
    facing: str | None


class FrameDetail(StrictModel):
    """Signed angles, nominal 95 % intervals, parts of the scores, reasons of nulls.

    With biomechanics off it has only `nulls`; without a pose it is empty.
    """

    signed: dict[str, Number] = Field(
        {}, description="Angles with a sign, of the plane that the view shows."
    )
    included: dict[str, Number] = Field({}, description="Included angles of further joints.")
    levels: dict[str, FrameLevel] = Field({})
    ci95: dict[str, tuple[float, float] | None] = Field(
        {}, description="Nominal 95 % interval of each angle that is not null."
    )
    nulls: dict[str, str] = Field({}, description="Reason of each null.")
    components: dict[str, dict[str, float | str | None]] = Field(
        {}, description="Parts of the scores, and their coverage."
    )
    definitions: dict[str, str] = Field(
        {}, description="Which of its definitions a score is made by."
    )
    view: FrameView | None = None
    flags: list[str] = Field([])
    joint_flags: dict[str, list[str]] = Field({})
    sigma_source: str | None = None
    sigma_calibrated: bool = False
    shoulder_reference: str | None = None
