"""Request fields that choose people, and the response's account of the choice."""

from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from deployments.athlete_choice import PROMINENT, Athlete, AthletePoint, AthleteRule
from serve_app.results.form_fields import no_truth, parsed, whole
from serve_app.results.record_schema import ResponseModel

RULES: Final[tuple[str, ...]] = get_args(AthleteRule)
MOST_PEOPLE: Final = 1000


class AthletePointOptions(BaseModel):
    """A point on the athlete, and its frame or time."""

    model_config = ConfigDict(extra="forbid")

    x: float = Field(ge=0, le=16384, description="Pixels of the upright picture, to the right.")
    y: float = Field(ge=0, le=16384, description="Pixels of the upright picture, downwards.")
    frame: int | None = Field(None, ge=0, le=2**31 - 1, description="Position in the video file.")
    time: float | None = Field(
        None, ge=0, le=1e6, description="Seconds of the video, instead of `frame`."
    )
    _numbers = field_validator("*", mode="before")(no_truth)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.frame is None) == (self.time is None):
            raise ValueError("give either frame or time")
        return self


def _rule_or_point(value: Any) -> Any:
    """Return a rule as it is, and the object that a form has as JSON text."""
    return parsed(value) if isinstance(value, str) and value.lstrip().startswith("{") else value


def _expected(value: Any) -> Any:
    """Refuse a value that is neither, with one message instead of one a kind."""
    if isinstance(value, dict | AthletePointOptions) or value in RULES:
        return value
    raise ValueError(f"must be one of {', '.join(RULES)}, or an object with x, y and frame or time")


def _word_or_number(value: Any) -> Any:
    value = whole(no_truth(value))
    if value in ("primary", "all") or (isinstance(value, int) and 1 <= value <= MOST_PEOPLE):
        return value
    raise ValueError(f"must be primary, all or a whole number from 1 to {MOST_PEOPLE}")


class PeopleFields(BaseModel):
    """Fields of a request on who is analyzed."""

    people: Annotated[
        Literal["primary", "all"] | Annotated[int, Field(ge=1, le=MOST_PEOPLE)],
        BeforeValidator(_word_or_number),
    ] = Field(
        "primary",
        description="Whose frames are listed: the primary person's, everyone's, or those of N "
        "people, the primary and then the most prominent; others are under `people`.",
    )
    athlete: Annotated[
        Annotated[AthleteRule, Tag("rule")] | Annotated[AthletePointOptions, Tag("point")],
        Discriminator(lambda value: "rule" if isinstance(value, str) else "point"),
        BeforeValidator(_expected),
        BeforeValidator(_rule_or_point),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "enum": list(RULES)},
                    AthletePointOptions.model_json_schema(),
                ]
            }
        ),
    ] = Field(
        PROMINENT,
        description="Who is the primary person: the most prominent (large, central and long "
        "visible), the largest, the one seen longest, the one nearest the center, or the one at a "
        "point of a frame. A point in a form: as JSON.",
        examples=["largest"],
    )

    @property
    def people_in_frames(self) -> int | None:
        """Return how many people's frames are listed; None for all."""
        if isinstance(self.people, int):
            return self.people
        return 1 if self.people == "primary" else None

    @property
    def athlete_choice(self) -> Athlete:
        """Return how the primary person is chosen."""
        if isinstance(self.athlete, AthletePointOptions):
            point = self.athlete
            return AthletePoint(point.x, point.y, point.frame or 0, point.time)
        return self.athlete


class PrimaryPerson(ResponseModel):
    """The primary person, and how it was chosen."""

    track_id: int | None = Field(
        description="Null where nobody was found in the video, as the warning `nobody_found` says."
    )
    chosen_by: Literal["prominent", "largest", "longest", "center", "point"] = Field(
        description="`athlete` of the request; `point` for a point."
    )


def primary_person(track_ids: list[int], athlete: Athlete) -> PrimaryPerson:
    """Return the account of the choice; ``track_ids`` has the primary person first."""
    rule = "point" if isinstance(athlete, AthletePoint) else athlete
    return PrimaryPerson(track_id=track_ids[0] if track_ids else None, chosen_by=rule)
