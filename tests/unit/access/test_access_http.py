"""Access over HTTP: limits, headers, CORS, the audit log, the description and the client."""

import asyncio
import json
import logging
from pathlib import Path

import httpx
import pytest

from deployments.errors import UnauthorizedError
from serve_app.client import PoseClient
from serve_app.http.routes import create_app
from serve_app.results.health_schema import Health
from tests.support.asgi import AsgiTransport
from tests.support.keyed_service import keyed_service

NAME = "0" * 32 + ".mp4"
ORIGIN = "https://app.example.org"


@pytest.fixture(scope="module")
def keyed(marker_config, tmp_path_factory):
    made = keyed_service(tmp_path_factory.mktemp("keyed"), marker_config, cors_origins=[ORIGIN])
    video = Path(made.service.settings.output) / made.me / NAME
    video.parent.mkdir(parents=True)
    video.write_bytes(b"12345")
    return made


def client_of(service):
    return httpx.Client(transport=AsgiTransport(create_app(service)), base_url="http://test")


@pytest.fixture
def http(keyed):
    with client_of(keyed.service) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer {}"}, 415),
        ({"Authorization": "bearer  {} "}, 415),
        ({"X-API-Key": "{}"}, 415),
        ({"X-API-Key": "{}", "Authorization": "Basic eA=="}, 415),
        ({"Authorization": "Basic {}"}, 401),
        ({"Authorization": "{}"}, 401),
        ({"Cookie": "key={}"}, 401),
        ({"X-API-Key": "x.y", "Authorization": "Bearer {}"}, 401),
    ],
)
def test_a_key_is_presented_in_two_ways(http, keyed, headers, status):
    sent = {name: value.format(keyed.keys["own"]) for name, value in headers.items()}
    assert http.post("/pose", headers=sent, files={"file": b"x"}).status_code == status


def test_a_key_in_the_address_is_none(http, keyed):
    assert http.get(f"/videos/x?key={keyed.keys['own']}").status_code == 401


def test_a_link_opens_a_video_for_reading_alone(http, keyed):
    link = keyed.service.access.links.sign(f"/videos/{keyed.me}/{NAME}")
    whole = http.get(link)
    assert (whole.status_code, whole.content) == (200, b"12345")
    assert (whole.headers["cache-control"], whole.headers["referrer-policy"]) == (
        "private",
        "no-referrer",
    )
    assert http.get(link, headers={"Range": "bytes=1-2"}).content == b"23"
    assert http.head(link).status_code == 200
    assert http.post(link).status_code == 401
    export = keyed.service.access.links.sign("/export")
    assert http.post(export).status_code == 401
    assert http.get(export).status_code == 401


def test_a_link_that_opens_no_more_is_named(http, keyed):
    path = f"/videos/{keyed.me}/{NAME}"
    link = keyed.service.access.links.sign(path)[:-1]
    refused = http.get(link).json()
    assert (refused["code"], "link has expired" in refused["detail"]) == ("unauthorized", True)
    assert http.get(link, headers=keyed.headers()).status_code == 200
    assert "no key" in http.get(path).json()["detail"]


def test_a_limit_of_a_key_is_answered_with_the_time_to_wait(marker_config, tmp_path, caplog):
    made = keyed_service(tmp_path, marker_config, quota={"requests_a_minute": 2})
    caplog.set_level(logging.INFO, "mmpose_service.audit")
    with client_of(made.service) as http:
        answers = [http.get("/videos/x", headers=made.headers()) for _ in range(3)]
        other = http.get("/videos/x", headers=made.headers("another"))
        http.get("/healthz", headers=made.headers())
    assert [a.status_code for a in answers] == [404, 404, 429]
    audited = [json.loads(r.getMessage()) for r in caplog.records if r.name.endswith("audit")]
    assert [(a["caller"] == made.me, a["status"]) for a in audited[:3]] == [
        *((True, 404), (True, 404), (True, 429))
    ]
    assert answers[2].json()["code"] == "rate_limited"
    assert answers[2].json()["retryable"] is True
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert other.status_code == 404


def test_a_used_quota_refuses_videos_and_nothing_else(marker_config, tmp_path):
    made = keyed_service(tmp_path, marker_config, quota={"frames_a_day": 100})
    made.service.access.daily.add(made.me, 4.0, 100)
    with client_of(made.service) as http:
        refused = http.post("/pose", headers=made.headers(), files={"file": b"x"})
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
        assert int(refused.headers["retry-after"]) > 0
        assert http.get("/videos/x", headers=made.headers()).status_code == 404
        other = http.post("/pose", headers=made.headers("another"), files={"file": b"x"})
        assert other.status_code == 415


def test_every_answer_has_the_security_headers(http, keyed):
    for answer in (
        http.get("/healthz"),
        http.get("/videos/x"),
        http.post("/pose", headers=keyed.headers(), files={"file": b"x"}),
        http.get("/livez", headers={"X-Request-Timeout-Seconds": "9"}),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    page = http.get("/docs").headers["content-security-policy"]
    assert "default-src 'none'" in page
    assert "frame-ancestors 'none'" in page


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


def test_pages_of_a_listed_origin_may_call_and_no_others(http, keyed):
    allowed = http.options("/pose", headers={"Origin": ORIGIN, **PREFLIGHT})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "x-api-key" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed.headers
    answer = http.get("/videos/x", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, ORIGIN)
    for origin in ("https://evil.example.org", ORIGIN + ".evil.org", "null"):
        refused = http.options("/pose", headers={"Origin": origin, **PREFLIGHT})
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers


def test_cors_is_closed_by_default(marker_config, tmp_path):
    made = keyed_service(tmp_path, marker_config)
    with client_of(made.service) as http:
        answer = http.get("/healthz", headers={"Origin": ORIGIN})
        assert answer.status_code == 200
        asked = http.options("/pose", headers={"Origin": ORIGIN, **PREFLIGHT})
        assert asked.status_code == 401
    for headers in (answer.headers, asked.headers):
        assert [name for name in headers if name.startswith("access-control")] == []


def test_an_access_is_one_line_of_json(http, keyed, caplog):
    link = keyed.service.access.links.sign(f"/videos/{keyed.me}/{NAME}")
    with caplog.at_level(logging.INFO, "mmpose_service.audit"):
        http.get(link)
        http.post("/pose?a=b", headers=keyed.headers() | {"X-Request-ID": "my-own"})
        http.get("/videos/x%0A", headers=keyed.headers("wrong"))
        http.get("/healthz")
    by_link, by_key, refused = (
        json.loads(r.getMessage()) for r in caplog.records if r.name == "mmpose_service.audit"
    )
    assert by_link["bytes"] == 5
    assert (by_link["caller"], by_link["by_link"]) == ("", True)
    assert (by_link["method"], by_link["route"]) == ("GET", "/videos/{owner}/{key}")
    assert (by_key["caller"], by_key["by_link"]) == (keyed.me, False)
    assert (by_key["route"], by_key["status"], by_key["request_id"]) == ("/pose", 422, "my-own")
    assert by_key["duration_ms"] >= 0
    assert by_key["time"].endswith("+00:00")
    assert (refused["caller"], refused["route"], refused["status"]) == (None, None, 401)


def test_a_websocket_is_closed(keyed):
    sent = []

    async def connect():
        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "websocket.connect"}

        scope = {
            "type": "websocket",
            "path": "/pose",
            "headers": [],
            "query_string": b"",
            "root_path": "",
            "scheme": "ws",
            "subprotocols": [],
        }
        await create_app(keyed.service)(scope, receive, send)

    asyncio.run(connect())
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_the_description_declares_keys_and_refusals(keyed):
    document = create_app(keyed.service).openapi()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["key"]["in"], schemes["key"]["name"]) == ("header", "X-API-Key")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            ways = [name for way in operation["security"] for name in way]
            if path in ("/healthz", "/readyz", "/livez"):
                assert ways == []
                continue
            link = ["link"] if path.startswith("/videos/") else []
            assert ways == ["bearer", "key", *link]
            assert {"401", "429"} <= operation["responses"].keys()
    assert "403" in document["paths"]["/pose"]["post"]["responses"]


def test_health_says_who_may_call(http):
    assert Health.model_validate(http.get("/healthz").json()).access == "keys"
    assert Health.model_fields["access"].default == "open"


def test_the_client_sends_its_key_to_the_service_alone(monkeypatch, tmp_path):
    seen = []

    def handle(request):
        seen.append((request.url.host, request.headers.get("authorization")))
        body = {"data": None, "video_url": "http://bucket/a.mp4", "request_id": "x"}
        return httpx.Response(200, json=body)

    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.delenv("MMPOSE_API_KEY", raising=False)
    for given, variable in (("a.given", None), (None, "a.variable"), (None, None)):
        if variable:
            monkeypatch.setenv("MMPOSE_API_KEY", variable)
        else:
            monkeypatch.delenv("MMPOSE_API_KEY", raising=False)
        with PoseClient(
            "http://test", api_key=given, transport=httpx.MockTransport(handle)
        ) as client:
            answer = client.analyze(tmp_path / "a.mp4")
            client.download(answer, tmp_path / "annotated.mp4")
    assert seen == [
        *(("test", "Bearer a.given"), ("bucket", None)),
        *(("test", "Bearer a.variable"), ("bucket", None)),
        *(("test", None), ("bucket", None)),
    ]


def test_the_client_raises_what_it_is_refused_with(keyed, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    transport = AsgiTransport(create_app(keyed.service))
    with PoseClient("http://test", api_key="a.b", transport=transport) as client:
        with pytest.raises(UnauthorizedError, match="wrong, expired or revoked"):
            client.analyze(tmp_path / "a.mp4")
        assert client.health().access == "keys"
