"""Define RTMDet: person detectors with boxes."""

from typing import Final

from deployments.pose.families.family import Family

FAMILY: Final = Family("rtmdet", codec="boxes")
