"""Send uploads in parts to an application, as callers of a test's choice."""

import httpx

from serve_app.access.caller import Caller
from serve_app.http.routes import create_app
from serve_app.workspaces import UPLOADS
from tests.support.asgi import AsgiTransport

TUS = {"Tus-Resumable": "1.0.0"}
PART = TUS | {"Content-Type": "application/offset+octet-stream"}
BODY = bytes(range(256)) * 40
SIZE = len(BODY)


class _As:
    """The application, with the caller named by a header instead of a key."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        name = dict(scope["headers"]).get(b"x-test-caller")
        state = {} if name is None else {"caller": Caller(name.decode())}
        await self._app({**scope, "state": {**scope.get("state", {}), **state}}, receive, send)


def uploading_client(service):
    """A client of ``service``, which is its attribute; ``folder`` is that of its uploads."""
    transport = AsgiTransport(_As(create_app(service)))
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
