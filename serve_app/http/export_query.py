"""Parse the query of `POST /export`: for the service, the commands and the light client."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["csv", "parquet", "trc", "mot", "c3d", "coco"]
Profile = Literal["2d", "opensim"]


class ExportQuery(BaseModel):
    """The query of `POST /export`."""

    model_config = ConfigDict(extra="forbid")

    format: Format = Field(description="See docs/exports.md.")
    person: int | None = Field(
        None, ge=0, description="trc, mot, c3d: the track; default: the primary person."
    )
    height_m: float | None = Field(
        None, ge=0.4, le=2.8, description="trc, c3d: the athlete's height; default: the result's."
    )
    profile: Profile = Field("2d", description="mot: our names, or OpenSim's coordinates.")
    with_hip: bool = Field(False, description="mot of profile opensim: the hips too.")
    run_id: str | None = Field(
        None, description="csv, parquet: written in each row; default: the request id."
    )
