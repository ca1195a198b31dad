"""Exports that are streamed: in pieces as they are made, and ended with their callers."""

import asyncio
import contextlib
import json
import threading
import time

import pytest

from deployments.concurrency import WorkCancelledError
from deployments.errors import BadParameterError, OverloadedError
from serve_app.export import formats, tidy
from serve_app.export.formats import FORMATS, ExportOptions, export
from serve_app.export.saved_clip import read_result
from serve_app.http import export_route
from serve_app.http.routes import create_app
from tests.support.saved_results import height_of, saved, squatting

FRAMES = 90
LATER_S = 20.0


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(formats, "_PIECE", 1024)
    monkeypatch.setattr(tidy, "_ROWS", FRAMES)


class Caller:
    """One who posts a result to ``/export``, and may go after some messages of the answer."""

    def __init__(self, service, body, kind, goes_after=None):
        self.service, self.body, self.kind, self.goes_after = service, body, kind, goes_after
        self.messages = []

    @property
    def status(self):
        return self.messages[0]["status"]

    @property
    def headers(self):
        return dict(self.messages[0]["headers"])

    @property
    def content(self):
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def whole(self):
        return not self.messages[-1].get("more_body", False)

    def ask(self):
        asyncio.run(asyncio.wait_for(self.call(), 60))
        return self

    async def call(self):
        task, told = asyncio.current_task(), iter([{"type": "http.request", "body": self.body}])

        async def receive():
            return next(told, None) or await asyncio.Event().wait()

        async def send(message):
            self.messages.append(message)
            if len(self.messages) == self.goes_after:
                task.cancel()
                await asyncio.sleep(0)

        scope = {
            "type": "http",
            "asgi": {"spec_version": "2.4"},
            "method": "POST",
            "path": "/export",
            "query_string": f"format={self.kind}".encode(),
            "headers": [(b"content-type", b"application/json")],
        }
        await create_app(self.service)(scope, receive, send)


def until(true):
    end = time.monotonic() + LATER_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_answer_is_sent_in_pieces_without_a_length_and_is_whole(
    service, squat, kind, small_pieces
):
    """(S2)"""
    caller = Caller(service, squat, kind).ask()
    assert caller.status == 200
    assert caller.content == b"".join(export(read_result(squat), kind, ExportOptions()).pieces)
    sizes = [len(message["body"]) for message in caller.messages[1:-1]]
    assert set(sizes[:-1]) == {1024}
    assert len(sizes) > 4
    assert b"content-length" not in caller.headers
    assert caller.whole


def test_an_answer_of_one_piece_has_its_length(service, squat):
    caller = Caller(service, squat, "mot").ask()
    assert int(caller.headers[b"content-length"]) == len(caller.content)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_is_made_as_it_is_taken(squat, kind, small_pieces, monkeypatch):
    """(S2) What is not taken yet is not there."""
    made, rows = [], tidy._rows
    monkeypatch.setattr(tidy, "_rows", lambda *args: made.append(args) or rows(*args))
    pieces = export(read_result(squat), kind, ExportOptions()).pieces
    assert made == []
    next(pieces)
    begun = len(made)
    assert len(list(pieces)) > 4
    assert begun * 4 < len(made)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_answer_that_fails_in_the_middle_does_not_look_whole(
    service, squat, kind, small_pieces, monkeypatch
):
    """(S2) Its last message says that more is to come, and the server cuts the connection."""
    even = formats._even

    def failing(parts, cancelled):
        for number, piece in enumerate(even(parts, cancelled)):
            if number == 3:
                raise BadParameterError("a fault that nobody foresaw")
            yield piece

    monkeypatch.setattr(formats, "_even", failing)
    caller = Caller(service, squat, kind)
    with pytest.raises(RuntimeError, match="already started"):
        caller.ask()
    assert (caller.status, len(caller.content)) == (200, 3 * 1024)
    assert not caller.whole
    until(lambda: service.refuse_if_full() is None and folders(service) == [])


@pytest.mark.parametrize("kind", FORMATS)
def test_an_answer_that_fails_at_its_first_piece_is_a_problem(service, squat, kind, monkeypatch):
    def failing(_parts, _cancelled):
        raise BadParameterError("a fault that is told")
        yield

    monkeypatch.setattr(formats, "_even", failing)
    caller = Caller(service, squat, kind).ask()
    assert (caller.status, json.loads(caller.content)["code"]) == (422, "bad_parameter")


@pytest.mark.parametrize("kind", FORMATS)
def test_work_in_every_format_ends_wherever_its_caller_goes(squat, kind, small_pieces):
    """(S4) While the result is read, before the file, and between its pieces."""

    def made(cancelled):
        result = read_result(squat, cancelled)
        return b"".join(export(result, kind, ExportOptions(cancelled=cancelled)).pieces)

    asked = []
    assert made(lambda: asked.append(1))
    assert len(asked) > FRAMES + 2  # each frame, each person, and the file
    for last in {1, FRAMES // 2, FRAMES, FRAMES + 1, FRAMES + 2, len(asked)}:
        asked.clear()
        with pytest.raises(WorkCancelledError):
            made(lambda last=last: asked.append(1) or len(asked) == last)
        assert len(asked) == last


@pytest.mark.parametrize("kind", FORMATS)
def test_a_caller_who_goes_leaves_no_work_no_place_and_no_folder(
    service, squat, kind, small_pieces, monkeypatch
):
    """(S4)"""
    given, even = [], formats._even

    def counted(parts, cancelled):
        for piece in even(parts, cancelled):
            given.append(piece)
            yield piece

    monkeypatch.setattr(formats, "_even", counted)
    caller = Caller(service, squat, kind, goes_after=3)
    with pytest.raises(asyncio.CancelledError):
        caller.ask()
    until(lambda: not service._under_way and folders(service) == [])
    assert len(given) <= 5
    assert not caller.whole


def folders(service):
    return list(service.settings.spool_dir.iterdir())


def test_an_export_whose_caller_has_gone_keeps_its_place_until_its_step_ends(
    service, squat, monkeypatch
):
    """(S4) A step that does not ask, such as one of a library, is not left to itself."""
    end, begun, told = threading.Event(), threading.Semaphore(0), []

    def work(_body, _asked, cancelled, folder):
        begun.release()
        end.wait(30)
        told.append((cancelled(), folder.is_dir()))

    monkeypatch.setattr(export_route, "_begin", work)
    places = service.live.max_concurrent_requests

    async def leave():
        waiting = [asyncio.create_task(Caller(service, squat, "csv").call()) for _ in range(places)]
        for _ in waiting:
            await asyncio.to_thread(begun.acquire, timeout=30)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(OverloadedError):
            service.refuse_if_full()
        assert len(folders(service)) == places
        end.set()
        while service._under_way:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(leave(), 60))
    assert told == [(True, True)] * places
    assert folders(service) == []


def test_an_export_has_a_deadline_of_its_own(service, squat, monkeypatch):
    """(S3)"""
    brief = service.settings.model_copy(update={"export_deadline_s": 0.2})
    monkeypatch.setattr(service, "settings", brief)

    def work(_body, _asked, cancelled, _folder):
        until(cancelled)

    monkeypatch.setattr(export_route, "_begin", work)
    caller = Caller(service, squat, "csv").ask()
    assert (caller.status, json.loads(caller.content)["code"]) == (504, "deadline_exceeded")
    until(lambda: folders(service) == [])


def test_an_export_under_way_when_the_service_ends_breaks_off(service, squat, small_pieces):
    """(S7) It is waited for, and what is not done within the grace does not look whole."""
    held = []

    async def end():
        caller = Caller(service, squat, "csv")
        answer = asyncio.create_task(caller.call())
        while len(caller.messages) < 3:
            await asyncio.sleep(0)
        await service.drain(0.0)
        held.append(caller)
        await answer

    try:
        with contextlib.suppress(RuntimeError):
            asyncio.run(asyncio.wait_for(end(), 60))
    finally:
        service._ending = False
    (caller,) = held
    assert caller.status == 200
    assert not caller.whole


def test_a_c3d_file_is_written_in_the_folder_of_its_request(tmp_path, monkeypatch):
    """A killed process leaves what it writes where others sweep."""
    ezc3d = pytest.importorskip("ezc3d")
    written, write = [], ezc3d.c3d.write
    monkeypatch.setattr(
        ezc3d.c3d, "write", lambda self, path: written.append(path) or write(self, path)
    )
    result = read_result(saved(squatting(30), context=height_of(1.8)))
    export(result, "c3d", ExportOptions(folder=tmp_path))
    (path,) = written
    assert path.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
