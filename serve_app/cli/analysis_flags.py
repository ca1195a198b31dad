"""Build the flags of `analyze` and `demo` from the options of a request."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from pydantic import BaseModel

from serve_app.results.media_schema import RegionOptions
from serve_app.results.response_schema import CameraOptions, PoseOptions, SubjectOptions
from serve_app.results.supplied import SUPPLIED, read_supplied, require_our_definitions
from serve_app.results.validation import parse_options

_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "subject": SubjectOptions,
    "camera": CameraOptions,
}
_OUTPUT: Final = ("video", "data", "fields")
"""Options that select the output; a command has its own flags for these, or none."""

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _properties(kind: type[BaseModel]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = kind.model_json_schema()["properties"]
    return found


_OF_THE_CLIP: Final = {
    name: schema
    for name, schema in _properties(PoseOptions).items()
    if name not in (*_OUTPUT, *_PARTS, *SUPPLIED, "region")
}

_FILES: Final[Mapping[str, str]] = {
    "reference": "Response or table of angles (CSV) that the technique is compared with.",
    "before": "Earlier response of the same athlete, for progress.",
    "norms": "Norms of populations, YAML or JSON.",
}


def analysis_flags(command: _Command) -> _Command:
    """Add a flag for each option, such as ``--cutoff-hz`` for ``cutoff_hz``, to a command.

    Documents of a request, such as ``reference``, are read from files.
    """
    for name, text in reversed(list(_FILES.items())):
        command = click.option(f"--{name}", type=_FILE, metavar="FILE", help=text)(command)
    command = click.option(
        "--region",
        type=int,
        nargs=len(RegionOptions.model_fields),
        metavar=" ".join(name.upper() for name in RegionOptions.model_fields),
        help="Where people are detected, in pixels of the upright picture.",
    )(command)
    schemas = dict(_OF_THE_CLIP)
    for kind in _PARTS.values():
        schemas |= _properties(kind)
    for name, schema in reversed(schemas.items()):
        default = schema.get("default")
        command = click.option(
            f"--{name.replace('_', '-')}",
            type=_type_of(schema),
            default=default,
            show_default=default is not None,
            help=schema["description"],
        )(command)
    return command


def options_of(flags: Mapping[str, Any], **output: bool) -> PoseOptions:
    """Build the options of a request from a command's flags.

    Args:
        flags: of :func:`analysis_flags`, by option. output: ``video`` and ``data``.

    Raises:
        BadParameterError: a value is not allowed, or a file has the wrong content.
        DefinitionsDifferError: a result in a file was made with other definitions.
    """
    supplied = read_supplied(files_in(flags))
    options: PoseOptions = parse_options(PoseOptions, values_in(flags) | supplied | output)
    require_our_definitions(options.context.supplied)
    return options


def values_in(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that flags give, without those that are read from files."""
    values: dict[str, Any] = {n: flags[n] for n in _OF_THE_CLIP}
    for part, kind in _PARTS.items():
        values[part] = {n: flags[n] for n in kind.model_fields}
    if flags["region"] is not None:
        values["region"] = dict(zip(RegionOptions.model_fields, flags["region"], strict=True))
    return values


def files_in(flags: Mapping[str, Any]) -> dict[str, Path]:
    """Return the files from which options are read, by option."""
    return {name: flags[name] for name in _FILES if flags[name] is not None}


def _type_of(schema: Mapping[str, Any]) -> click.ParamType[Any]:
    """Return the type of a flag: a choice of words, a number within bounds, or text of either.

    Text is validated with the request's other options.
    """
    kinds = {kind["type"] for kind in schema.get("anyOf", [schema])} - {"null"}
    if len(kinds) > 1:
        return click.STRING
    values = schema.get("anyOf", [schema])[0]
    if "enum" in values:
        return click.Choice(values["enum"])
    above = values.get("exclusiveMinimum")
    low = values.get("minimum", above)
    return click.FloatRange(low, values.get("maximum"), min_open=above is not None)
