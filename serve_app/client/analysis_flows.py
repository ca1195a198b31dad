"""Analyze, stream and export in steps; see :mod:`serve_app.client.steps`."""

import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from deployments.errors import BadParameterError, NotReadyError, ServiceError
from serve_app.client.answers import unexpected
from serve_app.client.steps import Emit, Flow, Lines, Pause, Send, Work, retried
from serve_app.client.stream_lines import StreamEnd, line_of
from serve_app.client.uploads import send_video
from serve_app.http.export_query import ExportQuery, Format
from serve_app.results.health_schema import Health
from serve_app.results.response_schema import PoseOptions, PoseResponse
from serve_app.results.supplied import SUPPLIED, is_table, read_supplied, read_text

Options = TypeVar("Options", bound=PoseOptions)
_POLL_S = 0.5
_COMPARED: Final = {"biomechanics_summary"}


def analyze(source: str | Path, options: dict[str, Any], retries: int) -> Flow[PoseResponse]:
    """Return the whole response."""
    require_whole(options, "analyze_parts")
    answer = yield from _analyzed(source, options, retries)
    response: PoseResponse = yield Work(partial(PoseResponse.model_validate_json, answer.content))
    return response


def analyze_parts(
    source: str | Path, fields: str, options: dict[str, Any], retries: int
) -> Flow[dict[str, Any]]:
    """Return parts of the response."""
    answer = yield from _analyzed(source, {**options, "fields": fields}, retries)
    parts: dict[str, Any] = yield Work(partial(json.loads, answer.content))
    return parts


def _analyzed(source: str | Path, options: dict[str, Any], retries: int) -> Flow[httpx.Response]:
    chosen = yield Work(partial(options_to_send, PoseOptions, options))
    return (yield from send_video("/pose", source, chosen, retries))


def stream(source: str | Path, options: dict[str, Any], retries: int) -> Flow[None]:
    """Emit typed lines while segments finish."""
    require_whole(options, "analyze_parts")
    chosen = yield Work(partial(options_to_send, PoseOptions, options))
    yield from send_video(
        "/pose", source, chosen, retries, is_streamed=True, params={"stream": "true"}
    )
    lines = Lines()
    while (text := (yield from lines.next())) is not None:
        line = yield Work(partial(line_of, text))
        yield Emit(line)
        if isinstance(line, StreamEnd):
            return
    raise ServiceError("the stream broke off before its last line", retryable=True)


def require_whole(options: Mapping[str, Any], other: str) -> None:
    """Refuse fields where whole responses are returned.

    Raises:
        BadParameterError: there are fields.
    """
    if options.get("fields") is not None:
        raise BadParameterError(
            "a response with fields is partial, and this method returns whole ones",
            hint=f"Call {other}, which returns a dictionary.",
            field="fields",
        )


def options_to_send(kind: type[Options], options: dict[str, Any]) -> dict[str, Any]:
    """Validate options as ``kind``, and return them JSON-ready, with the content of files.

    Responses are replaced by what is compared of them. A table of angles is left as text, which
    the service alone understands.

    Raises:
        pydantic.ValidationError: an option is unknown or out of range.
        BadParameterError: a file cannot be read, or is not what it should be.
    """
    files = {n: value for n in SUPPLIED if isinstance(value := options.get(n), Path)}
    results = {
        name: {"data": value.data and value.data.model_dump(include=_COMPARED)}
        for name, value in options.items()
        if isinstance(value, PoseResponse)
    }
    reference = options.get("reference")
    if "reference" in files:
        reference = read_text("reference", files["reference"])
    table: dict[str, str] = {}
    if isinstance(reference, str | bytes) and is_table(reference):
        options = {name: value for name, value in options.items() if name != "reference"}
        files.pop("reference", None)
        text = reference if isinstance(reference, str) else reference.decode("utf-8", "replace")
        table = {"reference": text}
    chosen = kind(**options | results | read_supplied(files))
    return chosen.model_dump(exclude_unset=True) | table


def health() -> Flow[Health]:
    """Return what is loaded, also of a service that is not ready."""
    answer = yield Send("GET", "/healthz", is_any=True)
    try:
        return Health.model_validate_json(answer.content)
    except ValueError as error:
        raise unexpected(answer) from error


def wait_until_ready(timeout_s: float) -> Flow[Health]:
    """Ask for the health until it is ready."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            found = yield from health()
            if found.status != "not_ready":
                return found
            reason = "; ".join(found.reasons)
        except ServiceError as error:  # not there yet, or Serve answers in its place
            reason = error.detail
        if time.monotonic() >= end:
            raise NotReadyError(f"not ready after {timeout_s:g} s: {reason}")
        yield Pause(_POLL_S)


def download(address: str | None, to: str | Path, retries: int) -> Flow[Path]:
    """Write the file at ``address``, which may lead on to an object store, to ``to``.

    Raises:
        ValueError: there is no address.
    """
    if address is None:
        raise ValueError("the response has no annotated video")
    file = Path(to)
    yield from retried(Send("GET", address, {"follow_redirects": True}, to=file), retries)
    return file


def export(
    result: PoseResponse | str | Path,
    kind: Format,
    to: str | Path | None,
    options: dict[str, Any],
    retries: int,
) -> Flow[bytes | Path]:
    """Send a result, and return what is made of it, or the file with it."""
    query = export_query(kind, options)
    if isinstance(result, PoseResponse):
        body = yield Work(lambda: result.model_dump_json().encode())
    else:
        body = yield Work(Path(result).read_bytes)
    keywords = {
        "params": query,
        "content": body,
        "headers": {"Content-Type": "application/json"},
    }
    return (
        yield from content(
            Send("POST", "/export", keywords, None if to is None else Path(to)), retries
        )
    )


def export_query(kind: Format, options: dict[str, Any]) -> dict[str, Any]:
    """Validate the query of an export.

    Raises:
        pydantic.ValidationError: an option is unknown or out of range.
    """
    return ExportQuery(format=kind, **options).model_dump(exclude_none=True)


def content(request: Send, retries: int) -> Flow[bytes | Path]:
    """Return the content of an answer, or the file that has it."""
    answer = yield from retried(request, retries)
    return answer.content if request.to is None else request.to
