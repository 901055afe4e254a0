"""Health, the front door, and a document that says what the routes do."""

from __future__ import annotations

import re

import httpx
import msgspec
import psycopg
import pytest
from psycopg import sql
from wire_calls import refused, succeeded

from darkroom import errors
from darkroom.api import app
from darkroom.domain.kinds.table import KINDS
from ground import serve, wait_until

CUT_OFF = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
SUBMITS = [one for one in app.ROUTES if one.body and one.path.startswith("/v1/generation/")]


@pytest.fixture(scope="module")
def document(server):
    """What GET /openapi.json answers."""
    answer = httpx.get(f"{server.url}/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def test_a_living_server_says_so(server):
    assert succeeded(httpx.get(f"{server.url}/health/live")) == {"live": True}


def test_a_ready_server_says_so_and_whether_it_is_a_sandbox(server):
    ready = succeeded(httpx.get(f"{server.url}/health/ready"))
    assert ready == {"ready": True, "sandbox": True, "files": True}


def _allow_connections(postgres, conninfo, allowed):
    name = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    with psycopg.connect(postgres, autocommit=True) as connection:
        verb = sql.SQL("true" if allowed else "false")
        connection.execute(sql.SQL(CUT_OFF).format(sql.Identifier(name), verb))
        if not allowed:
            ends = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(ends, [name])


def test_a_server_cut_off_from_its_database_lives_says_503_and_comes_back(
    postgres, database_conninfo, tmp_path
):
    served = serve(database_conninfo, tmp_path, workers="0")

    def cut_off() -> httpx.Response | None:
        # Again: one that was being made escapes.
        _allow_connections(postgres, database_conninfo, False)
        answer = httpx.get(f"{served.url}/health/ready", timeout=30)
        return answer if answer.status_code == 503 else None

    answer = wait_until(cut_off, what="a server that is cut off")
    refused(answer, 503, 5000, "database")
    assert answer.headers["Retry-After"] == "2"
    assert succeeded(httpx.get(f"{served.url}/health/live")) == {"live": True}
    _allow_connections(postgres, database_conninfo, True)
    wait_until(
        lambda: httpx.get(f"{served.url}/health/ready", timeout=30).status_code == 200,
        what="the way back to the database",
    )
    served.stop()


def test_the_front_door_leads_on(server):
    shown = succeeded(httpx.get(server.url))
    assert shown["sandbox"] is True
    assert httpx.get(shown["models"]).status_code == httpx.get(shown["openapi"]).status_code == 200


def test_every_answer_has_an_id_of_its_own(server):
    paths = ("/", "/health/live", "/openapi.json", "/nowhere", "/files/x", "/v1/history")
    given = [httpx.get(server.url + path).headers["X-Request-Id"] for path in paths * 2]
    assert len(set(given)) == len(given)
    assert all(re.fullmatch(r"req_[0-9a-z]{26}", one) for one in given)


def test_an_id_of_the_caller_s_is_not_taken_over(server):
    sent = {"X-Request-Id": "req_mine"}
    assert httpx.get(server.url, headers=sent).headers["X-Request-Id"] != "req_mine"


def test_the_document_lists_every_route_and_no_other(document):
    listed = {
        (method.upper(), path) for path, found in document["paths"].items() for method in found
    }
    served = {(route.method, route.path) for route in app.ROUTES}
    assert served - listed <= {("GET", "/openapi.json")}
    assert listed <= served


def test_every_operation_has_a_name_of_its_own_and_its_path_s_parameters(document):
    names = []
    for path, found in document["paths"].items():
        for operation in found.values():
            names.append(operation["operationId"])
            declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))
    assert len(set(names)) == len(names)


def test_every_reference_in_the_document_leads_somewhere(document):
    schemas = document["components"]["schemas"]
    named = re.findall(r"'#/components/schemas/(\w+)'", str(document))
    assert set(named) <= set(schemas)
    assert len(named) > len(KINDS)


def test_every_example_in_the_document_is_accepted(document):
    for kind in KINDS.values():
        operation = document["paths"][kind.route]["post"]
        example = operation["requestBody"]["content"]["application/json"]["example"]
        assert msgspec.convert(example, kind.input)


def test_the_document_declares_every_refusal_of_a_route(document):
    for route in app.ROUTES:
        if route.path not in document["paths"]:
            continue
        responses = document["paths"][route.path][route.method.lower()]["responses"]
        for refusal in route.errors:
            said = responses[str(route.wording.status(refusal))]["description"]
            assert f"{refusal.__name__} ({refusal.code})" in said


def test_every_keyed_route_declares_a_bad_key():
    for route in app.ROUTES:
        assert (errors.Unauthenticated in route.errors) is route.needs_key


@pytest.mark.parametrize("route", SUBMITS, ids=[route.path for route in SUBMITS])
def test_every_submit_declares_what_a_submit_may_raise(route):
    # Each is raised by a test of the refusals; a declared parent stands for its children.
    raised = (
        *(errors.BadParameter, errors.AspectRatioRefused, errors.InsufficientCredits),
        *(errors.UnknownModel, errors.NotOffered, errors.ContentRefused, errors.BodyTooLarge),
        errors.UnsupportedMedia,
    )
    if next(kind for kind in KINDS.values() if kind.route == route.path).files:
        raised += (errors.InputRefused, errors.FileNotFound, errors.UnsupportedFormat)
        raised += (errors.UploadTooLarge,)
    undeclared = {one.__name__ for one in raised if not issubclass(one, tuple(route.errors))}
    assert undeclared == set()


@pytest.mark.parametrize("path", ["/nowhere", "/v1/", "/V1/models", "/v1/models/", "/doc", "//"])
def test_an_unknown_address_says_where_to_look(server, path):
    refused(httpx.get(server.url + path), 404, 1003, "GET /openapi.json")


def test_an_unknown_address_is_not_repeated_without_end(server):
    assert len(httpx.get(f"{server.url}/{'x' * 5000}").text) < 1000


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE"])
def test_a_wrong_method_is_refused(server, method):
    refused(httpx.request(method, f"{server.url}/v1/models"), 405, 1002, "takes GET")
