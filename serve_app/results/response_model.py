"""Define the base of all models of an answer: finite numbers only."""

from typing import Final

from pydantic import BaseModel, ConfigDict

FINITE: Final = ConfigDict(allow_inf_nan=False, ser_json_inf_nan="constants")
"""What has no schema is not looked at before it is written: there a number that is not finite is
written as such, so that it is seen and refused, not told as null."""


class ResponseModel(BaseModel):
    """A part of the answer."""

    model_config = FINITE
