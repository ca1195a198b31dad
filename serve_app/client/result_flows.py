"""Read results of jobs of any size in steps; see :mod:`serve_app.client.steps`."""

import json
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from pydantic import ValidationError

from deployments.errors import BadParameterError, TooLargeError
from serve_app.client.analysis_flows import content, download, export_query
from serve_app.client.job_flows import path_of
from serve_app.client.steps import Emit, Flow, Send, Step, Work, retried
from serve_app.http.export_query import Format
from serve_app.results.response_schema import (
    FRAMES,
    FramePose,
    PoseData,
    PoseResponse,
    selection_of,
)
from serve_app.results.selection import Tree

Value = TypeVar("Value")
_DATA, _FRAMES = FRAMES
_WITHOUT_FRAMES: Final[Tree] = {
    name: {part: None for part in PoseData.model_fields if part != _FRAMES}
    if name == _DATA
    else None
    for name in PoseResponse.model_fields
}


def result(job_id: str, retries: int) -> Flow[PoseResponse]:
    """Return the whole response, in pages where it is too large for one answer."""
    try:
        answer = yield from _answer(job_id, {}, retries)
    except TooLargeError:
        document = yield from _joined(job_id, None, _WITHOUT_FRAMES, retries)
        whole: PoseResponse = yield Work(partial(_whole, PoseResponse.model_validate, document))
        return whole
    response: PoseResponse = yield Work(
        partial(_whole, PoseResponse.model_validate_json, answer.content)
    )
    return response


def result_parts(job_id: str, fields: str | None, retries: int) -> Flow[dict[str, Any]]:
    """Return parts of the response, or all, in pages where they are too large for one answer.

    Raises:
        BadParameterError: the response has no such part.
    """
    selection = selection_of(fields)
    try:
        answer = yield from _answer(job_id, {"fields": fields} if fields else {}, retries)
    except TooLargeError:
        rest = _without_frames(selection.tree) if selection else _WITHOUT_FRAMES
        return (yield from _joined(job_id, fields, rest, retries))
    parts: dict[str, Any] = yield Work(partial(json.loads, answer.content))
    return parts


def frames(job_id: str, retries: int) -> Generator[Step, Any, None]:
    """Emit the frames of the response, page by page."""
    cursor: int | None = 0
    while cursor is not None:
        page = yield from _page(job_id, None, cursor, retries)
        for values in page["frames"]:
            frame = yield Work(partial(_whole, FramePose.model_validate, values))
            yield Emit(frame)
        cursor = page["cursor"]


def download_video(job_id: str, to: str | Path, retries: int) -> Flow[Path]:
    """Write the annotated video to a file."""
    return (yield from download(f"{path_of(job_id)}/video", to, retries))


def download_source(job_id: str, to: str | Path, retries: int) -> Flow[Path]:
    """Write the video as it was sent to a file."""
    return (yield from download(f"{path_of(job_id)}/source", to, retries))


def export(
    job_id: str, kind: Format, to: str | Path | None, options: dict[str, Any], retries: int
) -> Flow[bytes | Path]:
    """Return what is made of the result of a job, or the file with it."""
    query = export_query(kind, options)
    del query["format"]
    request = Send(
        "GET",
        f"{path_of(job_id)}/export/{kind}",
        {"params": query},
        None if to is None else Path(to),
    )
    return (yield from content(request, retries))


def _whole(validated: Callable[[Any], Value], values: Any) -> Value:
    """Return a typed value.

    Raises:
        BadParameterError: it lacks parts, as the job was submitted with ``fields``.
    """
    try:
        return validated(values)
    except ValidationError as error:
        raise BadParameterError(
            "the result is not a whole response, as of a job that was submitted with fields",
            hint="Call result_parts, which returns a dictionary.",
            field="fields",
        ) from error


def _joined(job_id: str, fields: str | None, rest: Tree, retries: int) -> Flow[dict[str, Any]]:
    """Return a document of pages of frames, and of the ``rest`` of the response."""
    document: dict[str, Any] = {}
    if rest:
        answer = yield from _answer(job_id, {"fields": ",".join(_paths(rest))}, retries)
        document = json.loads(answer.content)
    all_frames: list[Any] = []
    cursor: int | None = 0
    while cursor is not None:
        page = yield from _page(job_id, fields, cursor, retries)
        all_frames += page["frames"]
        cursor = page["cursor"]
    document[_DATA] = {_FRAMES: all_frames, **document.get(_DATA, {})}
    return document


def _page(job_id: str, fields: str | None, cursor: int, retries: int) -> Flow[dict[str, Any]]:
    query = {"cursor": cursor} | ({} if fields is None else {"fields": fields})
    answer = yield from _answer(job_id, query, retries)
    page: dict[str, Any] = yield Work(partial(json.loads, answer.content))
    return page


def _answer(job_id: str, query: dict[str, Any], retries: int) -> Flow[httpx.Response]:
    request = Send("GET", f"{path_of(job_id)}/result", {"params": query})
    return (yield from retried(request, retries))


def _without_frames(tree: Tree) -> Tree:
    """Return what is chosen of the response apart from its frames."""
    if _DATA not in tree:
        return tree
    below = tree[_DATA]
    rest = _WITHOUT_FRAMES[_DATA] if below is None else below
    data = {name: part for name, part in (rest or {}).items() if name != _FRAMES}
    others: Tree = {name: part for name, part in tree.items() if name != _DATA}
    return others | ({_DATA: data} if data else {})


def _paths(tree: Tree, before: str = "") -> Iterator[str]:
    for name, below in tree.items():
        if below is None:
            yield before + name
        else:
            yield from _paths(below, f"{before}{name}.")
