"""A whole service in this process, on networks that find colored discs."""

import shutil

import httpx
import pytest

from serve_app.http.routes import create_app
from serve_app.local import local_service
from serve_app.settings import load_settings
from serve_app.workspaces import UPLOADS
from tests.support.asgi import AsgiTransport
from tests.support.parts import uploading_client
from tests.unit.serve_app.test_service import service_of


@pytest.fixture(scope="package")
def service(marker_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    settings = load_settings(
        {
            "config": marker_config,
            "output": str(folder / "videos"),
            "spool_dir": folder / "spool",
            "max_bytes": 3_000_000,
            "allowed_hosts": ["127.0.0.1"],
        }
    )
    with local_service(settings) as service:
        yield service


@pytest.fixture
def http(service):
    with httpx.Client(
        transport=AsgiTransport(create_app(service)), base_url="http://test"
    ) as client:
        yield client


@pytest.fixture(scope="package")
def squat_answer(service, squat_video):
    """The response document of the squat video, annotated, all people listed."""
    with httpx.Client(
        transport=AsgiTransport(create_app(service)), base_url="http://test"
    ) as client:
        answer = client.post(
            "/pose", files={"file": squat_video.read_bytes()}, data={"people": "all"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def service_for_parts(service):
    """The whole service; the folder of its uploads goes after the test."""
    yield service
    shutil.rmtree(service.settings.spool_dir / UPLOADS, ignore_errors=True)


@pytest.fixture
def uploading(marker_config, tmp_path):
    """Makes a client of a service with these settings."""
    return lambda **settings: uploading_client(service_of(marker_config, tmp_path, **settings))
