"""Uploads in parts: the protocol, its limits, and what a break leaves."""

import asyncio
import base64
import hashlib
import os
import shutil
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from deployments.errors import UploadBusyError
from serve_app import upload_part
from serve_app.access.caller import ANONYMOUS
from serve_app.upload_part import PART_BYTES
from tests.support.parts import BODY, PART, TUS, begin, code_of, data_of, offset_of, send


def test_a_file_in_three_parts(uploading):
    http = uploading()
    path = begin(http, **{"Upload-Metadata": "filename cnVuLm1wNA==,private"})
    for start in range(0, len(BODY), 4000):
        before = time.time()
        answer = send(http, path, start, BODY[start : start + 4000])
        assert (answer.status_code, answer.content) == (204, b"")
        assert int(answer.headers["upload-offset"]) == min(start + 4000, len(BODY))
        expires = parsedate_to_datetime(answer.headers["upload-expires"]).timestamp()
        assert abs(expires - before - http.service.settings.keep_uploads_s) < 30
    state = http.head(path, headers=TUS)
    assert (state.status_code, state.headers["cache-control"]) == (200, "no-store")
    assert state.headers["upload-length"] == state.headers["upload-offset"] == str(len(BODY))
    assert state.headers["upload-metadata"] == "filename cnVuLm1wNA==,private"
    assert data_of(http, path) == BODY


def test_the_protocol_describes_itself(uploading):
    answer = uploading(max_bytes=1234).options("/uploads")
    assert answer.status_code == 204
    assert {name: answer.headers[name] for name in answer.headers if name.startswith("tus")} == {
        "tus-version": "1.0.0",
        "tus-resumable": "1.0.0",
        "tus-extension": "creation,expiration,termination,checksum",
        "tus-max-size": "1234",
        "tus-checksum-algorithm": "sha1,sha256",
    }


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, (422, "bad_parameter")),
        ({"Upload-Length": "-1"}, (422, "bad_parameter")),
        ({"Upload-Length": "0"}, (422, "bad_parameter")),
        ({"Upload-Length": "9" * 5000}, (422, "bad_parameter")),
        ({"Upload-Defer-Length": "1"}, (422, "bad_parameter")),
        ({"Upload-Length": "1001"}, (413, "too_large")),
        ({"Upload-Length": "9", "Upload-Metadata": "a b c"}, (422, "bad_parameter")),
        ({"Upload-Length": "9", "Upload-Metadata": "a" * 1025}, (422, "bad_parameter")),
        ({"Upload-Length": "9", "Tus-Resumable": "0.2.2"}, (412, "upload_version")),
        ({"Upload-Length": "9", "Tus-Resumable": ""}, (412, "upload_version")),
    ],
)
def test_an_upload_that_is_refused_leaves_nothing(uploading, headers, found):
    http = uploading(max_bytes=1000)
    answer = http.post("/uploads", headers=TUS | headers)
    assert code_of(answer) == found
    assert answer.headers.get("tus-version") == ("1.0.0" if found[0] == 412 else None)
    assert not http.folder.exists() or [*http.folder.glob("[!.]*")] == []


@pytest.mark.parametrize(
    ("offset", "size", "headers", "found"),
    [
        (99, 10, {}, (409, "upload_offset")),
        (101, 10, {}, (409, "upload_offset")),
        ("x", 10, {}, (422, "bad_parameter")),
        (100, 901, {}, (413, "too_large")),
        (100, 10, {"Content-Type": "video/mp4"}, (415, "part_type")),
        (100, 10, {"Upload-Checksum": "md5 AAAA"}, (422, "bad_parameter")),
        (100, 10, {"Upload-Checksum": "sha1 *"}, (422, "bad_parameter")),
        (100, 10, {"Upload-Checksum": "sha1 AAAA"}, (460, "checksum_mismatch")),
        (100, 10, {"Tus-Resumable": "2.0.0"}, (412, "upload_version")),
    ],
)
def test_a_part_that_is_refused_changes_nothing(uploading, offset, size, headers, found):
    http = uploading()
    path = begin(http, 1000)
    send(http, path, 0, BODY[:100])
    assert code_of(send(http, path, offset, bytes(size), **headers)) == found
    assert data_of(http, path) == BODY[:100]
    assert send(http, path, 100, BODY[100:1000]).status_code == 204  # it is not locked


def test_a_part_has_eight_mebibytes_at_most(uploading):
    http = uploading()
    path = begin(http, 2 * PART_BYTES)
    answer = send(http, path, 0, bytes(PART_BYTES + 1))
    assert code_of(answer) == (413, "too_large")
    assert str(PART_BYTES) in answer.json()["hint"]
    assert offset_of(http, path) == 0
    assert send(http, path, 0, bytes(PART_BYTES)).status_code == 204


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_part_with_its_checksum(uploading, algorithm):
    http = uploading()
    path = begin(http)
    digest = base64.b64encode(hashlib.new(algorithm, BODY).digest()).decode()
    answer = send(http, path, 0, BODY, **{"Upload-Checksum": f"{algorithm} {digest}"})
    assert answer.status_code == 204
    assert data_of(http, path) == BODY


def breaking(http, path, pieces, meanwhile, **headers):
    """Send a part of these pieces that never ends; do something meanwhile, then break it off."""

    async def run():
        arrived = asyncio.Event()

        async def body():
            for piece in pieces:
                yield piece
            arrived.set()
            await asyncio.Event().wait()

        transport = httpx.ASGITransport(http._transport._inner.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            sent = PART | {"Upload-Offset": "0"} | headers
            going = asyncio.create_task(client.patch(path, headers=sent, content=body()))
            await asyncio.wait_for(arrived.wait(), 30)
            answer = await meanwhile(client)
            going.cancel()
            await asyncio.wait([going])
            return answer

    return asyncio.run(run())


async def nothing(_client):
    return None


def test_what_arrived_of_a_part_that_breaks_off_is_kept(uploading):
    http = uploading()
    path = begin(http)
    breaking(http, path, [BODY[:1000], BODY[1000:1500]], nothing)
    assert offset_of(http, path) == 1500
    assert send(http, path, 1500, BODY[1500:]).status_code == 204
    assert data_of(http, path) == BODY


def test_nothing_is_kept_that_no_checksum_has_verified(uploading):
    http = uploading()
    path = begin(http)
    breaking(http, path, [BODY[:1000]], nothing, **{"Upload-Checksum": "sha1 AAAA"})
    assert offset_of(http, path) == 0


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_one_part_at_a_time(uploading, method):
    http = uploading()
    path = begin(http)

    async def another(client):
        headers = PART | {"Upload-Offset": "1000"}
        return await client.request(method, path, headers=headers, content=b"x")

    answer = breaking(http, path, [BODY[:1000]], another)
    assert code_of(answer) == (423, "upload_busy")
    assert answer.json()["retryable"]
    assert offset_of(http, path) == 1000


def test_a_stalled_part_is_ended(uploading):
    """It would hold the upload's lock against the caller who goes on."""
    http = uploading(body_window_s=0.3, min_body_rate=1000)
    path = begin(http)

    async def body():
        yield BODY[:1000]
        await asyncio.Event().wait()

    async def run():
        transport = httpx.ASGITransport(http._transport._inner.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = PART | {"Upload-Offset": "0"}
            return await asyncio.wait_for(client.patch(path, headers=headers, content=body()), 30)

    assert code_of(asyncio.run(run())) == (408, "body_timeout")
    assert send(http, path, 1000, BODY[1000:]).status_code == 204


def test_a_piece_still_being_written_when_its_request_is_cancelled_keeps_the_lock(
    uploading, monkeypatch
):
    """A thread does not end with its request: the next part must not be written between."""
    http = uploading()
    path, upload_id = begin(http), None
    upload_id = path.rpartition("/")[2]
    uploads, write = http.service.uploads, upload_part.write_piece

    async def run():
        loop = asyncio.get_running_loop()
        writing, go = asyncio.Event(), asyncio.Event()

        def slowly(file, data):
            loop.call_soon_threadsafe(writing.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(30)
            write(file, data)

        monkeypatch.setattr(upload_part, "write_piece", slowly)

        async def receive():
            with uploads.part(upload_id, ANONYMOUS, 0) as part:
                await part.write(BODY)

        going = asyncio.create_task(receive())
        await writing.wait()
        going.cancel()
        await asyncio.wait([going])
        with pytest.raises(UploadBusyError):
            await uploads.remove(upload_id, ANONYMOUS)
        go.set()
        while True:  # until the thread has written
            try:
                with uploads.part(upload_id, ANONYMOUS, len(BODY)):
                    return
            except UploadBusyError:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 30))
    assert data_of(http, path) == BODY


def test_another_callers_upload_is_as_if_absent(uploading):
    http = uploading()
    path = begin(http, **{"X-Test-Caller": "anna"})
    absent = "/uploads/" + "0" * 32
    for name in ("bert", None):
        own = {} if name is None else {"X-Test-Caller": name}
        for method, headers in [("HEAD", TUS), ("PATCH", PART), ("DELETE", TUS)]:
            both = [
                http.request(method, p, headers=headers | {"Upload-Offset": "0"} | own)
                for p in (path, absent)
            ]
            assert [answer.status_code for answer in both] == [404, 404]
            texts = [answer.text.replace(answer.headers["x-request-id"], "") for answer in both]
            assert texts[0] == texts[1]
        answer = http.post("/pose", json={"upload_id": path.rpartition("/")[2]}, headers=own)
        assert (answer.status_code, answer.json()["code"]) == (404, "upload_not_found")
    assert offset_of(http, path, **{"X-Test-Caller": "anna"}) == 0


@pytest.mark.parametrize("name", ["..", "%2e%2e", "0" * 31, "0" * 32 + "x", "..%2Flock", "A" * 32])
def test_nothing_else_is_named_by_an_id(uploading, name):
    http = uploading()
    begin(http)
    answer = http.head(f"/uploads/{name}", headers=TUS)
    assert "upload-offset" not in answer.headers
    assert answer.status_code == 404 or answer.url.path == "/"  # httpx asks for the page


def test_delete(uploading):
    http = uploading()
    path = begin(http)
    assert http.delete(path, headers=TUS).status_code == 204
    assert http.head(path, headers=TUS).status_code == 404
    assert [*http.folder.glob("[!.]*")] == []


def test_no_header_changes_the_method(uploading):
    http = uploading()
    path = begin(http)
    for method in ("DELETE", "PATCH"):
        headers = PART | {"Upload-Offset": "0", "X-HTTP-Method-Override": method}
        assert http.post(path, headers=headers, content=b"x").status_code == 405
    assert offset_of(http, path) == 0


def test_a_service_that_starts_again_knows_its_uploads(uploading):
    first = uploading()
    path = begin(first, **{"X-Test-Caller": "anna"})
    send(first, path, 0, BODY[:700], **{"X-Test-Caller": "anna"})
    again = uploading()
    assert offset_of(again, path, **{"X-Test-Caller": "anna"}) == 700


def test_an_upload_expires_and_is_swept(uploading):
    http = uploading(keep_uploads_s=100)
    old, new = begin(http), begin(http)
    upload_id = old.rpartition("/")[2]
    os.utime(http.folder / upload_id / "data", (time.time() - 101,) * 2)
    assert http.head(old, headers=TUS).status_code == 404
    with http.service._workspaces.one():  # sweeps the spool, which the uploads survive
        http.service.uploads.sweep()
    assert [entry.name for entry in http.folder.glob("[!.]*")] == [new.rpartition("/")[2]]


def test_the_sweeper_of_working_folders_leaves_old_uploads(uploading):
    http = uploading(deadline_s=1)
    path = begin(http)
    os.utime(http.folder, (time.time() - 1000,) * 2)
    http.service._workspaces.sweep()
    assert offset_of(http, path) == 0


def test_leftovers_of_a_killed_process_are_swept(uploading):
    http = uploading()
    begin(http)
    left = [http.folder / name for name in (".new-" + "1" * 32, "2" * 32)]
    for folder in left:
        folder.mkdir()
        os.utime(folder, (time.time() - 61,) * 2)
    fresh = http.folder / ("3" * 32)
    fresh.mkdir()
    http.service.uploads.sweep()
    assert [folder.exists() for folder in (*left, fresh)] == [False, False, True]


def test_all_uploads_together_are_bounded(uploading):
    http = uploading(max_bytes=10 * PART_BYTES, max_uploads_bytes=4 * PART_BYTES)
    first = begin(http, 2 * PART_BYTES)
    begin(http, 1)  # counts as one part
    headers = TUS | {"Upload-Length": str(PART_BYTES + 1)}
    answer = http.post("/uploads", headers=headers)
    assert code_of(answer) == (429, "overloaded")
    assert int(answer.headers["retry-after"]) > 0
    assert http.delete(first, headers=TUS).status_code == 204
    assert http.post("/uploads", headers=headers).status_code == 201


def test_a_disk_too_small_is_found_before_the_first_part(uploading, monkeypatch):
    http = uploading()
    usage = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    answer = http.post("/uploads", headers=TUS | {"Upload-Length": "101"})
    assert code_of(answer) == (503, "storage_failed")


def test_a_disk_that_fills_keeps_what_it_has(uploading, monkeypatch):
    http = uploading()
    path = begin(http)
    send(http, path, 0, BODY[:700])

    class Full:
        def write(self, _data):
            raise OSError(28, "No space left on device")

    write = upload_part.write_piece
    monkeypatch.setattr(upload_part, "write_piece", lambda _, data: write(Full(), data))
    answer = send(http, path, 700, BODY[700:])
    assert code_of(answer) == (503, "storage_failed")
    assert "No space left" in answer.json()["detail"]
    assert offset_of(http, path) == 700


def test_a_whole_upload_reaches_the_disk_before_it_is_answered(uploading, monkeypatch):
    http, synced = uploading(), []
    path = begin(http)
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    send(http, path, 0, BODY[:700])
    assert synced == []
    send(http, path, 700, BODY[700:])
    assert synced == [len(BODY)]


def test_a_damaged_note_is_that_of_no_upload_and_in_nobodys_way(uploading):
    http = uploading()
    path = begin(http)
    (http.folder / path.rpartition("/")[2] / "about.json").write_bytes(b"")
    assert code_of(http.get(path, headers=TUS)) == (404, "upload_not_found")
    assert http.post("/uploads", headers=TUS | {"Upload-Length": "5"}).status_code == 201
