"""Uploads in parts in use: by a request, and taken by whoever keeps the file."""

import asyncio
import errno
import os

import pytest

from deployments.errors import (
    NotAVideoError,
    StageFailedError,
    UploadBusyError,
    UploadNotFoundError,
    UploadUnfinishedError,
    WorkingFilesError,
)
from serve_app.access.caller import Caller
from serve_app.uploads_in_parts import Uploads
from tests.conftest import SQUAT_FRAMES
from tests.support.parts import BODY, SIZE, TUS, begin, offset_of, send, uploading_client

ANNA, BERT = Caller("anna"), Caller("bert")


def whole(http, content):
    path = begin(http, len(content))
    assert send(http, path, 0, content).status_code == 204
    return path.rpartition("/")[2]


def test_a_video_is_analyzed_by_its_upload_and_deleted(service_for_parts, squat_video):
    with uploading_client(service_for_parts) as http:
        upload_id = whole(http, squat_video.read_bytes())
        asked = {"upload_id": upload_id, "video": False}
        answer = http.post("/pose", json=asked)
        summary = answer.json()["data"]["processing_summary"]
        assert summary["successful_poses"] == SQUAT_FRAMES
        assert http.post("/pose", json=asked).json()["code"] == "upload_not_found"


@pytest.mark.parametrize("error", [NotAVideoError("no"), StageFailedError("no")])
def test_an_upload_is_kept_where_not_the_file_is_to_blame(uploading, error):
    class Failing:
        async def probe(self, _path, _options):
            raise error

    http = uploading(stages=Failing())
    upload_id = whole(http, BODY)
    answer = http.post("/pose", json={"upload_id": upload_id})
    assert answer.json()["code"] == error.code
    kept = http.head(f"/uploads/{upload_id}", headers=TUS).status_code == 200
    assert kept == isinstance(error, StageFailedError)


def test_an_upload_without_all_its_parts_is_not_analyzed(uploading):
    http = uploading()
    path = begin(http)
    answer = http.post("/pose", json={"upload_id": path.rpartition("/")[2]})
    problem = answer.json()
    assert (problem["code"], problem["offset"], problem["length"]) == (
        *("upload_unfinished", 0),
        len(BODY),
    )
    assert offset_of(http, path) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"upload_id": None},
        {"upload_id": "0" * 32, "video_url": "https://x/y"},
        {"upload_id": "../" + "0" * 29},
        {"upload_id": 3},
    ],
)
def test_a_request_has_one_source(uploading, body):
    problem = uploading().post("/pose", json=body).json()
    assert (problem["status"], problem["code"]) == (422, "bad_parameter")
    assert {item["field"] for item in problem["errors"]} <= {"video_url", "upload_id"}


def run(work):
    return asyncio.run(asyncio.wait_for(work, 30))


@pytest.fixture
def store(tmp_path):
    return Uploads(tmp_path / "uploads", max_bytes=10**6, max_total=10**9, keep_s=1000)


async def stored(store, content=BODY, length=SIZE):
    made = await store.create(ANNA, length)
    with store.part(made.id, ANNA, 0) as part:
        await part.write(content)
        await part.end()
    return made.id


async def take(store, upload_id, caller, to):
    async with store.taking(upload_id, caller, to):
        assert to.stat().st_size


@pytest.mark.parametrize("across", [False, True], ids=["linked", "copied"])
def test_taking_moves_the_file(store, tmp_path, monkeypatch, across):
    link = os.link

    def not_across(*names):
        if across:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return link(*names)

    async def taken():
        upload_id = await stored(store)
        with pytest.raises(UploadNotFoundError):
            await take(store, upload_id, BERT, tmp_path / "source")
        monkeypatch.setattr(os, "link", not_across)
        await take(store, upload_id, ANNA, tmp_path / "source")
        with pytest.raises(UploadNotFoundError):
            await store.find(upload_id, ANNA)

    run(taken())
    assert (tmp_path / "source").read_bytes() == BODY
    assert (tmp_path / "source").stat().st_mode & 0o777 == 0o600
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source", "uploads"]


def test_taking_refuses_what_is_not_whole_or_in_use(store, tmp_path):
    async def taken():
        upload_id = await stored(store, BODY[:10])
        with pytest.raises(UploadUnfinishedError):
            await take(store, upload_id, ANNA, tmp_path / "source")
        upload_id = await stored(store)
        with store.using(upload_id, ANNA), pytest.raises(UploadBusyError):
            await take(store, upload_id, ANNA, tmp_path / "source")

    run(taken())
    assert not (tmp_path / "source").exists()


def test_taking_where_nothing_can_be_written_keeps_the_upload(store, tmp_path):
    async def taken():
        upload_id = await stored(store)
        with pytest.raises(WorkingFilesError):
            await take(store, upload_id, ANNA, tmp_path / "absent" / "source")
        assert (await store.find(upload_id, ANNA)).offset == len(BODY)

    run(taken())
