"""The description of the interface is whole, and changes only on purpose."""

import json
import re
from difflib import unified_diff

import httpx
import pytest
from fastapi import HTTPException
from fastapi.routing import APIRoute

from deployments.errors import ConfigurationError, ServiceError
from serve_app.client.answers import _all_errors
from serve_app.http.openapi import problems_of
from serve_app.http.routes import create_app
from tests.support.asgi import AsgiTransport
from tests.unit.serve_app.test_service import service_of
from tools.openapi import SNAPSHOT, description, text_of

PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return description(tmp_path_factory.mktemp("described"))


def operations(document):
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_description_is_the_one_that_was_looked_at(document):
    diff = unified_diff(
        SNAPSHOT.read_text("utf-8").splitlines(), text_of(document).splitlines(), lineterm="", n=2
    )
    changes = "\n".join(diff)
    assert not changes, f"if this is meant, run: python -m tools.openapi\n{changes[:4000]}"


def test_every_route_is_described_with_a_tag_and_a_name_of_its_own(
    document, marker_config, tmp_path
):
    app = create_app(service_of(marker_config, tmp_path))
    routes = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    }
    described = {(m.upper(), path) for path, ms in document["paths"].items() for m in ms}
    assert len(routes) >= 7  # those of included routers are apart
    assert routes <= described
    found = operations(document)
    assert len({operation["operationId"] for _, operation in found}) == len(found)
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for _, operation in found for tag in operation["tags"]} == tags


def test_every_problem_is_the_component_and_every_answer_has_its_id(document):
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"], name
            assert ("Retry-After" in response["headers"]) == (status in ("429", "502", "503"))
            problem = response.get("content", {}).get("application/problem+json")
            assert problem in (None, PROBLEM), name
            assert problem or int(status) < 400, name
        assert {str(status) for status in problems_of()} <= operation["responses"].keys()
    assert "HTTPValidationError" not in json.dumps(document)


def test_every_error_of_the_tree_is_declared_by_a_route(document):
    declared = {
        (int(status), code)
        for _, operation in operations(document)
        for status, response in operation["responses"].items()
        for code in _all_errors(ServiceError)
        if f"`{code}`" in response["description"]
    }
    raised = {(kind.status, kind.code) for kind in _all_errors(ServiceError).values()}
    assert raised - declared == {(500, ConfigurationError.code)}  # at start alone


def test_every_reference_leads_to_a_component(document):
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))):
        part = document
        for name in reference.removeprefix("#/").split("/"):
            assert name in part, reference
            part = part[name]


def test_no_part_of_a_frame_or_of_the_health_is_any_object(document):
    schemas = document["components"]["schemas"]
    for name in ("FramePose", "FrameBiomechanics", "Keypoints", "FrameDetail", "NoDetail"):
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("additionalProperties") is not True, (name, field)
    assert schemas["HealthModels"]["properties"]["stages"]["additionalProperties"] == {
        "$ref": "#/components/schemas/HealthStage"
    }


def test_the_transport_of_these_tests_refuses_what_is_not_declared(marker_config, tmp_path):
    app = create_app(service_of(marker_config, tmp_path))

    @app.get("/teapot")
    async def teapot():
        return 1

    @app.get("/nothing", responses={418: {"description": "A teapot."}})
    async def nothing():
        raise HTTPException(418)

    @app.get("/undeclared")
    async def undeclared():
        raise HTTPException(418)

    with httpx.Client(transport=AsgiTransport(app), base_url="http://test") as http:
        assert http.get("/teapot").status_code == 200
        with pytest.raises(AssertionError, match="418 is not declared"):
            http.get("/undeclared")
        with pytest.raises(AssertionError, match=r"418 of application/problem\+json"):
            http.get("/nothing")
