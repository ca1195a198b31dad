"""Define the settings of the Ingress that change without a restart."""

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from deployments.pose.registry import Performance
from serve_app.analysis_settings import ANALYSIS
from serve_app.setting_types import PeopleLimit, Share, Stride
from serve_app.settings import Settings

_REGISTRY: Final = Performance()  # of a registry that leaves them out


class LiveConfig(BaseModel):
    """Settings that change without a restart: ``user_config`` of the Ingress."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confidence_threshold: Share = _REGISTRY.confidence_threshold
    min_box_score: Share = ANALYSIS.min_box_score
    detector_stride: Stride = ANALYSIS.detector_stride
    max_people: PeopleLimit = ANALYSIS.max_people
    max_concurrent_requests: int = Field(_REGISTRY.max_concurrent_requests, ge=1)

    @classmethod
    def of(
        cls, settings: Settings, performance: Performance, changed: Mapping[str, Any] | None = None
    ) -> Self:
        """Return the values in force: changed ones, else the settings', else the registry's.

        Raises:
            pydantic.ValidationError: a changed value is wrong, or its name unknown.
        """
        values = performance.model_dump() | settings.model_dump(exclude_none=True)
        known = {name: value for name, value in values.items() if name in cls.model_fields}
        return cls.model_validate(known | dict(changed or {}))
