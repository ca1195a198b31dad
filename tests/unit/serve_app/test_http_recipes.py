"""The recipes of docs/contributor.md for a format of export and for an endpoint, followed once."""

import asyncio
import re
from types import MappingProxyType
from typing import Literal, get_args

import httpx
import pytest

from deployments.errors import BadParameterError
from serve_app.export import formats
from serve_app.export.formats import FORMATS, ExportedFile
from serve_app.export.saved_clip import read_result
from serve_app.http import export_route
from serve_app.http.export_query import ExportQuery, Format
from serve_app.http.routes import create_app
from serve_app.results.response_schema import Problem
from tests.conftest import ROOT
from tests.support.asgi import AsgiTransport
from tests.support.saved_results import height_of, saved, squatting
from tests.unit.serve_app.test_service import service_of

PAGE = (ROOT / "docs" / "contributor.md").read_text()


@pytest.fixture
def service(marker_config, tmp_path):
    return service_of(marker_config, tmp_path)


def client_of(app):
    return httpx.Client(transport=AsgiTransport(app), base_url="http://test")


def test_the_recipe_of_a_format(service, monkeypatch):
    """The steps: a name in the query, a function, its row of the table, and its media type."""

    class Query(ExportQuery):
        format: Literal[Format, "tracks"]

    def tracks(result, options):
        lines = (f"{result.person(None).person_id} {name}\n" for name in ("first", "last"))
        return ExportedFile(".tracks.txt", "text/plain", formats._encoded(lines, options.cancelled))

    monkeypatch.setattr(export_route, "ExportQuery", Query)
    monkeypatch.setattr(formats, "FORMATS", MappingProxyType({**FORMATS, "tracks": tracks}))
    app, body = create_app(service), saved(squatting(30), context=height_of(1.8))
    with client_of(app) as http:
        json = {"content-type": "application/json"}
        answer = http.post("/export?format=tracks", content=body, headers=json)
        (asked,) = (
            parameter
            for parameter in http.get("/openapi.json").json()["paths"]["/export"]["post"][
                "parameters"
            ]
            if parameter["name"] == "format"
        )
    assert (answer.status_code, answer.text) == (200, "1 first\n1 last\n")
    assert answer.headers["content-disposition"] == 'attachment; filename="result.tracks.txt"'
    assert "tracks" in str(asked["schema"])


def test_every_format_of_the_query_has_a_row_and_a_line_of_documentation():
    result = read_result(saved(squatting(30), context=height_of(1.8)))
    assert set(FORMATS) == {*get_args(Format)}
    page = (ROOT / "docs" / "exports.md").read_text()
    table = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    for kind, write in FORMATS.items():
        assert f"`{kind}`" in table
        media_type = write(result, formats.ExportOptions()).media_type.partition(";")[0]
        assert media_type in export_route._CONTENT


def test_the_recipe_of_an_endpoint(service):
    """Errors, request ids and the end of the service are those of every other route."""

    def add_doubles(app, service):
        @app.get("/doubles/{number}", summary="A number, twice")
        async def doubles(number: int) -> dict[str, int]:
            service.refuse_if_full()
            async with service.deadline():
                if number < 0:
                    raise BadParameterError(f"{number} is negative", field="number")
                return {"double": 2 * number}

    app = create_app(service)
    add_doubles(app, service)
    with client_of(app) as http:
        assert http.get("/doubles/21").json() == {"double": 42}
        refused = http.get("/doubles/-1", headers={"X-Request-ID": "mine"})
        asyncio.run(service.drain(0.0))
        ending = http.get("/doubles/21")
        assert "/doubles/{number}" in http.get("/openapi.json").json()["paths"]
    problem = Problem.model_validate(refused.json())
    assert (problem.status, problem.code, problem.instance) == (422, "bad_parameter", "mine")
    assert (ending.status_code, ending.json()["code"]) == (503, "not_ready")


@pytest.mark.parametrize("heading", ["An export format", "An endpoint"])
def test_a_recipe_names_what_there_is(heading):
    recipe = PAGE.partition(f"### {heading}\n")[2].partition("\n##")[0]
    named = set(re.findall(r"`([^`]+)`", recipe)) - {"add_NAME(app, service)", "/openapi.json"}
    paths = {name for name in named if "/" in name}
    assert [path for path in paths if not (ROOT / path).exists()] == []
    code = "".join(
        path.read_text()
        for folder in ("serve_app", "deployments")
        for path in (ROOT / folder).rglob("*.py")
    )
    words = {re.sub(r"[()=]", "", name).rpartition(".")[2] for name in named - paths}
    assert len(words) >= 7
    assert [word for word in words if not re.search(rf"\b{word}\b", code)] == []
