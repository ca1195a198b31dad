"""The pages' files over HTTP: types, policy, versions, weight, and nothing from another host."""

import re
from importlib.resources import files

import httpx
import pytest

from serve_app.http.routes import create_app
from serve_app.web import DOCS_FILES, FOLDER, PAGE_FILES, SWAGGER, SWAGGER_FILES
from tests.support.asgi import AsgiTransport
from tests.support.keyed_service import keyed_service

MOST_BYTES = 300_000
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = {path: FOLDER / name for path, name in PAGE_FILES.items()}
DESCRIPTION = {path: FOLDER / name for path, name in DOCS_FILES.items()} | {
    path: files(SWAGGER) / "static" / name for path, name in SWAGGER_FILES.items()
}
TEXTS = {file.name: file.read_text("utf-8") for file in FILES.values()}
DOCS = (FOLDER / "docs.html").read_text("utf-8")
NAMESPACE = "http://www.w3.org/2000/svg"


def client_of(service):
    return httpx.Client(transport=AsgiTransport(create_app(service)), base_url="http://test")


@pytest.fixture(scope="module")
def http(marker_config, tmp_path_factory):
    """A service that requires keys; the calls below send none."""
    made = keyed_service(tmp_path_factory.mktemp("keyed"), marker_config)
    with client_of(made.service) as client:
        yield client


@pytest.mark.parametrize("path", FILES | DESCRIPTION)
def test_a_file_of_the_page_is_sent_without_a_key(http, path):
    answer = http.get(path)
    assert answer.status_code == 200
    file = (FILES | DESCRIPTION)[path]
    assert answer.content == file.read_bytes()
    assert answer.headers["content-type"] == TYPES[file.suffix]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    head = http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"].removeprefix("W/") == answer.headers["etag"].removeprefix("W/")


@pytest.mark.parametrize("path", FILES | DESCRIPTION)
def test_a_browser_that_has_a_file_is_not_sent_it_again(http, path):
    tag = http.get(path).headers["etag"]
    known = http.get(path, headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    assert http.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_has_a_policy_of_its_own_files_alone(http, path):
    policy = http.get(path).headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("page", [TEXTS["page.html"], DOCS])
def test_a_page_has_no_inline_script_or_style(page):
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page) == []
    code = "\n".join(text for name, text in TEXTS.items() if name.endswith(".js"))
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert unsafe not in code
    assert re.findall(r"\bnew Function\b|setAttribute\(\"(?:style|on)", code) == []


def test_no_file_names_another_host():
    for name, text in TEXTS.items():
        hosts = re.findall(r"(?:https?:|wss?:)?//[\w-]+\.[\w.-]+[^\s\"']*", text)
        assert [host for host in hosts if host != NAMESPACE] == [], name
        assert "@import" not in text


def test_what_the_page_loads_is_served():
    html = re.findall(r'(?:src|href)="([^"]+)"', TEXTS["page.html"])
    assert {at for at in html if at != "docs"} <= {path.lstrip("/") for path in FILES}
    for name, text in TEXTS.items():
        imported = re.findall(r'from "\./([^"]+)"', text)
        assert {f"/static/{other}" for other in imported} <= set(FILES), name
    listed = {*PAGE_FILES.values(), *DOCS_FILES.values()}
    assert listed == {f.name for f in FOLDER.iterdir() if f.suffix not in (".py", "")}


def test_the_description_loads_its_own_files_alone(http):
    loaded = re.findall(r'(?:src|href)="([^"]+)"', DOCS)
    assert {"static/docs.js", "static/swagger-ui-bundle.js", "static/swagger-ui.css"} <= {*loaded}
    assert {f"/{at}" for at in loaded} <= {"/data:,", "/openapi.json", *DESCRIPTION}
    assert "//" not in (FOLDER / "docs.js").read_text("utf-8").replace("/**", "")
    style = http.get("/static/swagger-ui.css").text
    assert re.findall(r"@import|url\((?!['\"]?data:)", style) == []
    assert http.get("/redoc").status_code == 401


def test_the_page_is_light():
    assert sum(file.stat().st_size for file in FILES.values()) < MOST_BYTES


@pytest.mark.parametrize(
    "path", ["/static/__init__.py", "/static/..%2fapp.py", "/static/page.html"]
)
def test_no_other_file_is_sent(http, path):
    assert http.get(path).status_code == 401


def test_the_description_does_not_list_the_page(http):
    paths = http.get("/openapi.json").json()["paths"]
    assert [path for path in paths if path in FILES or "sentences" in path] == []


def test_an_operator_can_turn_the_page_off(marker_config, tmp_path):
    made = keyed_service(tmp_path, marker_config, page=False)
    with client_of(made.service) as http:
        for path in FILES:
            assert http.get(path).status_code == 404
        for path in (*DESCRIPTION, "/openapi.json"):
            assert http.get(path).status_code == 200
        assert http.get("/healthz").status_code == 200
