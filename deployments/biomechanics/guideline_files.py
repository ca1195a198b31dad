"""Load the files for the applications: rules, detectable changes, norms, other results."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from biomech.applications.monitoring import METRICS, PHASES
from biomech.applications.norms_and_limits import Guidelines, Limit, Rule
from biomech.joints import JOINTS
from biomech.records.values import ClipView
from biomech.skeleton import Side
from deployments.biomechanics.comparable_results import NormRow, first, summary_of
from deployments.biomechanics.reference_files import read_reference
from deployments.errors import ConfigurationError

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _BySex(_Strict):
    male: Finite
    female: Finite
    any: Finite


class _Rule(_Strict):
    id: str = Field(min_length=1)
    metric: Literal[METRICS]  # type: ignore[valid-type]
    side: Side | None = None
    phase: Literal[PHASES]  # type: ignore[valid-type]
    view: ClipView | None = None
    op: Literal[">", "<"]
    threshold: Finite | _BySex
    min_duration_s: float = Field(0.0, ge=0, allow_inf_nan=False)
    p_min: float = Field(0.95, gt=0, lt=1)
    source: str = Field(min_length=1)
    note: str | None = None

    @model_validator(mode="after")
    def _can_be_broken(self) -> "_Rule":
        unsigned = {f"{joint.name}_flexion" for joint in JOINTS if not joint.signed}
        if self.metric in unsigned and self.op == "<" and min(self._thresholds().values()) <= 0:
            raise ValueError(
                f"{self.metric} has no sign, so it is never below 0: remove the rule {self.id}, or "
                "raise its threshold above 0"
            )
        return self

    def made(self) -> Rule:
        return Rule(**{**self.model_dump(), "threshold": self._thresholds()})

    def _thresholds(self) -> dict[str, float]:
        by_sex = self.threshold
        return by_sex.model_dump() if isinstance(by_sex, _BySex) else {"any": float(by_sex)}


class _Rules(_Strict):
    rules: list[_Rule]

    @model_validator(mode="after")
    def _distinct(self) -> "_Rules":
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) < len(ids):
            raise ValueError("ids of rules must differ")
        return self


_Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Limit(_Strict):
    mdc: _Above0 | None = None
    source: str = ""
    better: Literal["higher", "lower"] | None = None
    near_far: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    reason: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> "_Limit":
        if (self.mdc is None) == (self.reason is None):
            raise ValueError("a metric has either mdc, or the reason why there is none")
        if self.mdc is not None and not self.source:
            raise ValueError("mdc needs its source, as `source`")
        return self


def load_guidelines(
    rules: Path | None = None,
    mdc: Path | None = None,
    norms: Path | None = None,
    reference: Path | None = None,
    before: Path | None = None,
) -> Guidelines:
    """Load the guideline files; a file that is not given is treated as empty.

    Args:
        rules, mdc, norms: YAML. reference, before: saved responses, of which the primary person
            is used; the reference may also be a table of angles, as ``.csv``.

    Raises:
        ConfigurationError: a file is missing, or something in it is wrong; names both.
    """
    read_rules = _read(rules, _Rules)
    read_limits = _read(mdc, dict[str, _Limit]) or {}
    read_norms = _read(norms, list[NormRow])
    return Guidelines(
        rules=tuple(rule.made() for rule in read_rules.rules) if read_rules else (),
        limits={name: Limit(**limit.model_dump()) for name, limit in read_limits.items()},
        norms=None if read_norms is None else tuple(norm.made() for norm in read_norms),
        reference=_reference(reference),
        before=_saved(before),
    )


def _read(path: Path | None, kind: Any) -> Any:
    if path is None:
        return None
    try:
        return TypeAdapter(kind).validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first(error)}") from error


def _reference(path: Path | None) -> dict[str, Any] | None:
    is_table = path is not None and path.suffix.lower() == ".csv"
    return read_reference(path) if path and is_table else _saved(path)


def _saved(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        return summary_of(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no saved result: {error}") from error
