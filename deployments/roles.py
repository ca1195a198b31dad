"""Name the roles of the models in a service."""

from enum import StrEnum
from typing import Final


class ModelRole(StrEnum):
    """Role of a model; its value is the specification's name, on the wire and in error texts.

    Any network may have a role: in the role ``PRIMARY`` it answers as "rtmpose", whatever it is.
    """

    PRIMARY = "rtmpose"
    FALLBACK = "hrnet"
    DETECTOR = "detector"


POSE_ROLES: Final = (ModelRole.PRIMARY, ModelRole.FALLBACK)
"""Roles of pose models, in the order in which they are asked."""
