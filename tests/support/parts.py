"""Send uploads in parts to an application, as callers of a test's choice."""

import httpx

from serve_app.access.caller import ANONYMOUS, Caller
from serve_app.http.routes import create_app
from serve_app.workspaces import UPLOADS
from tests.support.asgi import AsgiTransport

TUS = {"Tus-Resumable": "1.0.0"}
PART = TUS | {"Content-Type": "application/offset+octet-stream"}
BODY = bytes(range(256)) * 40
SIZE = len(BODY)


async def _named(headers, *_link):
    """Return the caller whom a header names instead of a key."""
    return Caller(name) if (name := headers.get("x-test-caller")) else ANONYMOUS


def uploading_client(service):
    """A client of ``service``, which is its attribute; ``folder`` is that of its uploads."""
    service.access.authenticate = _named
    transport = AsgiTransport(create_app(service))
    client = httpx.Client(transport=transport, base_url="http://test")
    client.service = service
    client.folder = service.settings.spool_dir / UPLOADS
    return client


def begin(http, length=SIZE, **headers):
    answer = http.post("/uploads", headers=TUS | {"Upload-Length": str(length)} | headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/uploads/{answer.json()['upload_id']}"
    return answer.headers["location"]


def send(http, path, offset, data, **headers):
    return http.patch(path, headers=PART | {"Upload-Offset": str(offset)} | headers, content=data)


def offset_of(http, path, **headers):
    return int(http.head(path, headers=TUS | headers).headers["upload-offset"])


def code_of(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["code"]


def data_of(http, path):
    return (http.folder / path.rpartition("/")[2] / "data").read_bytes()
