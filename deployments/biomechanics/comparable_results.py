"""Read documents to compare a person with: summaries of results, mean movements, norms.

They may come from anywhere, so their size is bounded. Needs no numpy, because clients use it too.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from biomech.applications.norms_and_limits import Norm
from biomech.records.values import ClipView
from biomech.skeleton import Side

Model = TypeVar("Model", bound=BaseModel)

_MOST: Final = 1e6
_POINTS: Final = 101
_MOST_MEASURES: Final = 200
_MOST_JOINTS: Final = 32

Number = Annotated[float, Field(ge=-_MOST, le=_MOST, allow_inf_nan=False)]
_Deviation = Annotated[float, Field(ge=0, le=_MOST, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
_Label = Annotated[str, Field(max_length=200)]
_Text = Annotated[str, Field(min_length=1, max_length=500)]


class NormRow(BaseModel):
    """One row of a table of norms."""

    model_config = ConfigDict(extra="forbid")

    metric: _Text = Field(description="Of `measures`.")
    side: Side | None = Field(None, description="Null: either.")
    mean: Number | None = None
    sd: Annotated[float, Field(gt=0, le=_MOST, allow_inf_nan=False)] | None = None
    percentiles: (
        Annotated[
            dict[Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)], Number],
            Field(max_length=_POINTS),
        ]
        | None
    ) = Field(None, description="Values by per cent, in place of mean and sd.")
    n: _Count = Field(description="People.")
    population: _Text
    view: ClipView | None = Field(None, description="In which they hold; null: any.")
    source: _Text

    @model_validator(mode="after")
    def _whole(self) -> "NormRow":
        if not (self.percentiles or (self.mean is not None and self.sd is not None)):
            raise ValueError("a norm has mean and sd, or percentiles")
        values = [value for _, value in sorted((self.percentiles or {}).items())]
        if values != sorted(values):
            raise ValueError("percentiles must ascend")
        return self

    def made(self) -> Norm:
        """Convert to the norm that applications use."""
        return Norm(**self.model_dump())


class _Curve(BaseModel):
    mean: Annotated[list[Number], Field(min_length=_POINTS, max_length=_POINTS)]
    sd: Annotated[list[_Deviation], Field(min_length=_POINTS, max_length=_POINTS)] | None


class _Phases(BaseModel):
    of: _Label
    driver: _Label | None
    signed: bool
    joints: dict[_Label, _Curve] = Field(max_length=_MOST_JOINTS)


class _Measure(BaseModel):
    metric: _Label
    side: Side | None
    unit: _Label
    n: _Count
    mean: Number
    sd: _Deviation | None


class _Filter(BaseModel):
    cutoff_hz: Number | None


class SavedSummary(BaseModel):
    """The part of a person's summary that comparisons read."""

    definitions: _Label
    model: _Label | None
    movement: _Label
    view: _Label | None
    near_side: Side | None = None
    length_unit: _Label
    filter: _Filter
    phases: _Phases | None
    measures: list[_Measure] = Field(max_length=_MOST_MEASURES)


class _Cut(_Phases):
    signed: bool | None  # type: ignore[assignment]


class SavedMovement(BaseModel):
    """A mean movement from a table of angles, whose person and view are unknown."""

    model_config = ConfigDict(extra="forbid")

    phases: _Cut
    cuts: dict[_Label, _Cut] = Field(max_length=_MOST_JOINTS)


def summary_of(document: Any, person_id: int | None = None) -> dict[str, Any]:
    """Read the summary of one person of a response, the primary one by default.

    Raises:
        ValueError: the document is no response with a summary of that person; says what is missing.
    """
    return saved_summary(document, person_id).model_dump()


def saved_summary(document: Any, person_id: int | None = None) -> SavedSummary:
    """Read the same as a model.

    Raises:
        ValueError: see :func:`summary_of`.
    """
    try:
        people = document["data"]["biomechanics_summary"]
        wanted = [p for p in people if person_id in (None, p["person_id"])]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("it has no data.biomechanics_summary") from error
    if not wanted:
        raise ValueError("there is nobody in it" if not people else f"no person {person_id} in it")
    return checked(SavedSummary, wanted[0])


def checked(kind: type[Model], document: Mapping[str, Any]) -> Model:
    """Validate a document as a model of that kind.

    Raises:
        ValueError: the document is invalid; names the first wrong part.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise ValueError(first(error)) from error


def first(error: ValidationError) -> str:
    """Describe the first mistake and its place."""
    item = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part)[:_SHOWN] for part in item['loc']) or 'the whole'}: {item['msg']}"


_SHOWN: Final = 40
