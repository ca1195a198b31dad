"""Read the registry of models from ``config/model_config.json``.

The file is a superset of the specification's: what an entry leaves out is completed from what is
known of its config name, and a file without a detector gets the usual one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from biomech.config import CONFIDENCE_THRESHOLD
from deployments.errors import ConfigurationError, UnknownModelError
from deployments.pose.families import FAMILIES
from deployments.pose.published import PUBLISHED, Task
from deployments.pose.sources import Asset, Source, UrlSource, WheelMember

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EntryRole = Literal["primary", "fallback", "default", "optional"]

_USUAL_DETECTOR: Final = ("rtmdet_nano", "rtmdet_nano_320-8xb32_coco-person")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model that can be loaded.

    Attributes:
        key: name in the registry. name: for people.
        config: name as the specification writes it.
        mm_config: ``mmpose::path`` or ``mmdet::path``, the path being below the ``.mim`` folder of
            that package; empty for a network that has none.
        checkpoint: file name or path, ``.pth``, ``.onnx`` or ``.tflite``.
        sha256: whole digest, or its first digits (8 at least), or None where none is known.
        input_size: (width, height).
        role: primary and fallback answer by default, the default network where the primary's
            weights are missing.
        published_ap: COCO val2017 AP in per cent, with flip test.
        notice: what a user of its results must know.
        flip_test: average with the mirrored crop, whatever the settings say.
        sources: of the checkpoint, tried in order; none if it is not published.
    """

    key: str
    name: str
    task: Task
    family: str
    config: str
    mm_config: str
    checkpoint: str
    sha256: str | None
    input_size: tuple[int, int]
    codec: str
    enabled: bool = True
    role: EntryRole = "optional"
    published_ap: float | None = None
    notice: str | None = None
    flip_test: bool = False
    sources: tuple[Source, ...] = ()

    @property
    def url(self) -> str | None:
        """First address at which the checkpoint is published, or None."""
        return next((s.url for s in self.sources if isinstance(s, UrlSource)), None)

    @property
    def asset(self) -> Asset:
        """The checkpoint as a file to download."""
        return Asset(self.name, Path(self.checkpoint).name, self.sha256, self.sources)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _one_of(known: Iterable[str]) -> AfterValidator:
    """Refuse names that are not ``known``."""
    names = sorted(set(known))

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"there is no such one; there are {', '.join(names)}")
        return name

    return AfterValidator(check)


_FamilyName = Annotated[str, _one_of(FAMILIES)]
_CodecName = Annotated[str, _one_of(family.codec for family in FAMILIES.values())]
_SUFFIXES: Final = sorted({suffix for family in FAMILIES.values() for suffix in family.formats})
_FORMATS: Final = f"({'|'.join(map(re.escape, _SUFFIXES))})$"

_Pixels = Annotated[int, Field(ge=32, le=4096)]


_Source = Annotated[
    Annotated[UrlSource, Tag("address")] | Annotated[WheelMember, Tag("wheel")],
    Discriminator(lambda v: "address" if isinstance(v, dict) and "url" in v else "wheel"),
]


class _Entry(_Strict):
    """An entry as the file has it; None is completed from the known facts of its config."""

    config: str
    enabled: bool = True
    fallback: bool = False
    role: EntryRole | None = None
    name: str | None = None
    task: Task | None = None
    family: _FamilyName | None = None
    codec: _CodecName | None = None
    mm_config: str | None = Field(None, pattern=r"^((mmpose|mmdet)::.+\.py)?$")
    checkpoint: str | None = Field(None, pattern=_FORMATS)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{8,64}$")
    url: str | None = Field(None, pattern="^https?://")
    sources: tuple[_Source, ...] | None = None
    input_size: tuple[_Pixels, _Pixels] | None = None
    published_ap: float | None = Field(None, ge=0, le=100)
    notice: str | None = None
    flip_test: bool | None = None


class BiomechanicsFlags(_Strict):
    """Enabled parts of the biomechanics."""

    joint_angle_analysis: bool = True
    symmetry_detection: bool = True
    stability_assessment: bool = True
    movement_quality: bool = True


class Performance(_Strict):
    """Defaults that environment variables and requests override.

    Attributes:
        confidence_threshold: keypoints below are missing.
        max_concurrent_requests: more are refused.
        batch_processing: pictures of different calls go through a network together.
    """

    confidence_threshold: float = Field(CONFIDENCE_THRESHOLD, ge=0, le=1)
    max_concurrent_requests: int = Field(4, ge=1)
    batch_processing: bool = True


class _File(_Strict):
    service: str
    version: str
    models: dict[str, _Entry] = Field(min_length=1)
    biomechanics: BiomechanicsFlags = BiomechanicsFlags()
    performance: Performance = Performance()


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The whole file, completed."""

    service: str
    version: str
    models: dict[str, ModelEntry]
    biomechanics: BiomechanicsFlags
    performance: Performance

    def entry(self, key: str) -> ModelEntry:
        """Return the entry called ``key``.

        Raises:
            UnknownModelError: there is none.
        """
        try:
            return self.models[key]
        except KeyError:
            raise UnknownModelError(
                f"no model is called {key!r}; there are {', '.join(self.models)}"
            ) from None

    def candidates(self, task: Task, role: EntryRole) -> list[ModelEntry]:
        """Return the enabled entries of a task and role, in the file's order."""
        return [e for e in self.models.values() if e.enabled and e.task == task and e.role == role]


def load_model_config(path: Path) -> ModelConfig:
    """Read a registry file.

    Where no entry of a task is called primary, the first that has no other role is.

    Raises:
        ConfigurationError: missing, not JSON, an unknown key or config name, or a wrong value;
            names the key.
    """
    try:
        file = _File.model_validate_json(path.read_bytes())
        models = {key: _complete(key, entry) for key, entry in file.models.items()}
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", file=str(path)) from error
    except ValidationError as error:
        wrong = "; ".join(_explain(item) for item in error.errors())
        raise ConfigurationError(f"{path}: {wrong}", file=str(path)) from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.detail}", file=str(path)) from error
    if not any(model.task == "detect" for model in models.values()):
        key, config = _USUAL_DETECTOR
        models[key] = _complete(key, _Entry(config=config, role="primary"))
    roleless = {key for key, entry in file.models.items() if not (entry.role or entry.fallback)}
    return ModelConfig(
        service=file.service,
        version=file.version,
        models=_with_primaries(models, roleless),
        biomechanics=file.biomechanics,
        performance=file.performance,
    )


def _explain(item: "ErrorDetails") -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{where} is not a known key"
    if item["type"] == "missing":
        return f"{where} is missing"
    if item["type"] == "json_invalid":
        return item["msg"]
    return f"{where}: {item['msg']} (got {item['input']!r})"


def _complete(key: str, entry: _Entry) -> ModelEntry:
    stated = entry.model_dump(exclude_none=True, exclude={"fallback", "url", "sources"})
    if entry.url or entry.sources is not None:
        stated["sources"] = (
            *((UrlSource(entry.url),) if entry.url else ()),
            *(entry.sources or ()),
        )
    if entry.fallback and entry.role is None:
        stated["role"] = "fallback"
    values = {"key": key, "sha256": None, **_known(entry), **stated}
    missing = [f.name for f in fields(ModelEntry) if f.default is MISSING and f.name not in values]
    if missing:
        raise ConfigurationError(
            f"models.{key}.config: nothing is known of {entry.config!r}, so the entry must have "
            f"{', '.join(missing)}; known are {', '.join(PUBLISHED)}"
        )
    complete = ModelEntry(**values)
    _check_family(complete)
    return complete


def _check_family(entry: ModelEntry) -> None:
    """Refuse a format or size that the family cannot run."""
    family = FAMILIES[entry.family]
    file = Path(entry.checkpoint)
    if file.suffix not in family.formats:
        raise ConfigurationError(
            f"models.{entry.key}.checkpoint: {file.name} cannot be of family {family.name}, whose "
            f"format is {' or '.join(family.formats)}"
        )
    if any(side % family.multiple for side in entry.input_size):
        raise ConfigurationError(
            f"models.{entry.key}.input_size: family {family.name} takes whole multiples of "
            f"{family.multiple}, not {list(entry.input_size)}"
        )


def _known(entry: _Entry) -> dict[str, Any]:
    facts = PUBLISHED.get(entry.config)
    if facts is None:
        return {}
    known: dict[str, Any] = {
        "name": facts.name,
        "task": facts.task,
        "family": facts.family,
        "codec": facts.codec,
        "mm_config": facts.mm_config,
        "checkpoint": facts.checkpoint,
        "input_size": facts.input_size,
    }
    # A checkpoint of another name is another file: digest, address and AP do not hold for it.
    if entry.checkpoint is None or Path(entry.checkpoint).name == facts.checkpoint:
        known |= {"sha256": facts.sha256, "sources": facts.sources, "published_ap": facts.ap}
    return known


def _with_primaries(models: Mapping[str, ModelEntry], roleless: set[str]) -> dict[str, ModelEntry]:
    completed = dict(models)
    for task in ("pose", "detect"):
        of_task = [m for m in models.values() if m.task == task]
        free = [m for m in of_task if m.key in roleless]
        if free and not any(m.role == "primary" for m in of_task):
            completed[free[0].key] = replace(free[0], role="primary")
    return completed
