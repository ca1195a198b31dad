"""A video from one bucket of S3, and the annotated one into another, by settings alone."""

import hashlib

import httpx
import pytest

from serve_app.http.routes import create_app
from serve_app.local import local_service
from serve_app.settings import load_settings
from tests.conftest import SQUAT_FRAMES
from tests.support.asgi import AsgiTransport
from tests.support.s3_emulator import ENVIRONMENT, S3Emulator, StoredObject


@pytest.fixture
def s3(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with S3Emulator() as emulator:
        yield emulator


def test_from_bucket_to_bucket(s3, marker_config, tmp_path, squat_video):
    s3.objects["videos", "day 1/squat.mp4"] = StoredObject(squat_video.read_bytes())
    settings = load_settings(
        {
            "config": marker_config,
            "spool_dir": tmp_path / "spool",
            "output": "s3://results/annotated",
            "s3_buckets": "videos",
            "s3_endpoint": s3.url,
            "keep_results_s": 60,
        }
    )
    with local_service(settings) as service:
        transport = AsgiTransport(create_app(service))
        with httpx.Client(transport=transport, base_url="http://test") as http:
            answer = http.post("/pose", json={"video_url": "s3://videos/day 1/squat.mp4"}).json()
            foreign = http.post("/pose", json={"video_url": "s3://results/x.mp4"}).json()
            assert http.get("/videos/" + "0" * 32 + ".mp4").status_code == 404
    assert answer["data"]["processing_summary"]["successful_poses"] == SQUAT_FRAMES
    (name,) = (name for bucket, name in s3.objects if bucket == "results")
    assert name.startswith("annotated/")
    assert "X-Amz-Expires=60&" in answer["video_url"]
    fetched = httpx.get(answer["video_url"]).content
    kept = {name.lower(): value for name, value in s3.objects["results", name].headers.items()}
    assert hashlib.sha256(fetched).hexdigest() == kept["x-amz-meta-sha256"]
    assert foreign["code"] == "address_not_allowed"
