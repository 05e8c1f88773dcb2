"""What a REST target says beside yes: later, changed meanwhile, there already, who are you, and why not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rest_files import write_openapi

from adapters.base import (
    DeliveryError,
    Follows,
    InProgress,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Request,
    Retryable,
    ServesContract,
    TargetConfig,
)
from adapters.rest import RestAdapter
from adapters.testkit import ApiKey, Gatekeeper, RestDepartment
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest

BODY = {"art": "NEU", "name": "A"}
LATER = {"state": "$.status", "done": ["ERLEDIGT"], "failed": ["ABGELEHNT"]}
REFERENCES = {"vorgangsnummer": "$.vorgangsnummer", "aktenzeichen": "$.aktenzeichen"}


class Scripted(HttpDepartment):
    """Answers each request as told, and keeps what it got."""

    def __init__(self, answer: Callable[[HttpRequest], HttpReply]) -> None:
        super().__init__(prefix="X", idempotent=False)
        self.requests: list[HttpRequest] = []
        self._answer = answer

    def read(self, request: HttpRequest) -> HttpReply | Case:
        self.requests.append(request)
        return self._answer(request)

    def act(self, case: Case) -> HttpReply:
        return self.refusal()

    def refusal(self) -> HttpReply:
        return HttpReply(500, "text/plain", b"every request is answered above")


def json_reply(status: int, body: str = "{}", **headers: str) -> HttpReply:
    return HttpReply(status, "application/json", body.encode(), {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., RestAdapter]]:
    opened: list[RestAdapter] = []

    def connected(url: str, *, key: str | None = "$.fremdId", **settings: Any) -> RestAdapter:
        given = {"url": url, "openapi": write_openapi(tmp_path).name, "path": "/vorgaenge", **settings}
        given = {name: value for name, value in given.items() if value is not None}
        opened.append(RestAdapter(TargetConfig("t", str(tmp_path), given, REFERENCES, key, timeout=5.0)))
        return opened[-1]

    yield connected
    for adapter in opened:
        adapter.close()


Connect = Callable[..., RestAdapter]


def request(key: str = "k1", body: Mapping[str, Any] = BODY) -> Request:
    return Request(key, "s1", body, "dienst", "2026-01-02T03:04:05Z")


def failed(action: Callable[[], object]) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        action()
    return caught.value


def ticket_of(adapter: RestAdapter) -> InProgress:
    error = failed(lambda: adapter.deliver(request()))
    assert isinstance(error, InProgress), error
    return error


# --- Later ------------------------------------------------------------------------------------------------------------


def test_a_case_that_is_taken_first_is_asked_about_until_its_end(tmp_path: Path, connect: Connect) -> None:
    with RestDepartment(write_openapi(tmp_path), works=2) as department:
        adapter = connect(department.url, asynchronous=LATER)
        assert isinstance(adapter, Follows)
        taken = ticket_of(adapter)
        assert (taken.code, taken.ticket, taken.ask_after) == ("rest.in_progress", "/auftraege/k1", 1.0)
        for _ in range(2):
            assert isinstance(failed(lambda: adapter.follow(taken.ticket)), InProgress)
        receipt = adapter.follow(taken.ticket)
    assert dict(receipt.references) == {"vorgangsnummer": "REST-000001", "aktenzeichen": "REST/1"}
    assert len(department.received) == 1


def test_what_is_refused_in_the_end_is_refused(tmp_path: Path, connect: Connect) -> None:
    with RestDepartment(write_openapi(tmp_path), works=0, fails=True) as department:
        adapter = connect(department.url, asynchronous=LATER)
        error = failed(lambda: adapter.follow(ticket_of(adapter).ticket))
    assert (type(error), error.failure, error.code) == (Permanent, "rejected_by_target", "rest.refused")
    assert "unvollständig" in error.detail
    assert "unvollständig" not in str(error)


@pytest.mark.parametrize(
    ("answer", "told", "ticket"),
    [
        (json_reply(202, Location="/status/7?a=b"), {}, "/status/7?a=b"),
        (json_reply(202, '{"wo": {"url": "status/7"}}'), {"location": "$.wo.url"}, "/status/7"),
        (json_reply(202, '{"id": 7}'), {"location": "$.id", "path": "/auftraege/{id}"}, "/api/auftraege/7"),
    ],
    ids=["header", "address in the body", "id in the body"],
)
def test_where_to_ask_stands_in_the_header_or_the_body(
    connect: Connect, answer: HttpReply, told: dict[str, Any], ticket: str
) -> None:
    with Scripted(lambda _: answer) as department:
        adapter = connect(f"{department.url}/api", asynchronous=told, openapi=None)
        assert ticket_of(adapter).ticket == ticket


@pytest.mark.parametrize(
    "location",
    [
        "http://anderswo.example/status",
        "//anderswo.example/status",
        "https://127.0.0.1/status",
        "http://u@127.0.0.1:{port}/",
    ],
)
def test_no_answer_leads_us_to_another_host(connect: Connect, location: str) -> None:
    with Scripted(lambda _: json_reply(202, Location=location)) as department:
        location = location.replace("{port}", department.url.rpartition(":")[2])
        adapter = connect(department.url, asynchronous={}, openapi=None)
        error = failed(lambda: adapter.deliver(request()))
    assert (type(error), error.code) == (OutcomeUnknown, "rest.status_elsewhere")


def test_a_202_that_does_not_say_where_to_ask_is_unknown(connect: Connect) -> None:
    with Scripted(lambda _: json_reply(202)) as department:
        error = failed(lambda: connect(department.url, asynchronous={}, openapi=None).deliver(request()))
    assert (type(error), error.code) == (OutcomeUnknown, "rest.status_missing")


def test_a_result_at_an_address_of_its_own_is_fetched_there_and_nowhere_else(connect: Connect) -> None:
    def answer(asked: HttpRequest) -> HttpReply:
        if asked.path == "/status":
            return json_reply(303, Location="/ergebnis")
        if asked.path == "/away":
            return json_reply(303, Location="http://anderswo.example/")
        return json_reply(200, '{"vorgangsnummer": "V1"}')

    with Scripted(answer) as department:
        adapter = connect(department.url, asynchronous={}, openapi=None)
        assert dict(adapter.follow("/status").references) == {"vorgangsnummer": "V1"}
        assert failed(lambda: adapter.follow("/away")).code == "rest.status_gone"
    assert [asked.path for asked in department.requests] == ["/status", "/ergebnis", "/away"]


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (json_reply(202, Retry_After="7"), InProgress, "rest.in_progress"),
        (json_reply(404), OutcomeUnknown, "rest.status_gone"),
        (json_reply(410), OutcomeUnknown, "rest.status_gone"),
        (json_reply(503, Retry_After="7"), Retryable, "http.503"),
        (json_reply(500), Retryable, "probe.http.500"),
        (json_reply(401), Permanent, "http.401"),
        (json_reply(200, '{"vorgangsnummer": '), Retryable, "probe.rest.answer_unreadable"),
        (HttpReply(200, "text/html", b"<html>"), Permanent, "http.html"),
    ],
)
def test_an_answer_to_a_question_decides_only_what_it_says(
    connect: Connect, answer: HttpReply, kind: type[DeliveryError], code: str
) -> None:
    with Scripted(lambda _: answer) as department:
        error = failed(lambda: connect(department.url, asynchronous={}, openapi=None).follow("/status"))
    assert (type(error), error.code) == (kind, code)
    if isinstance(error, InProgress):
        assert error.ask_after == 7.0


def test_a_202_of_a_target_that_says_no_more_is_delivered_and_the_check_warns(connect: Connect) -> None:
    with Scripted(lambda _: json_reply(202)) as department:
        assert isinstance(connect(department.url).deliver(request()), Receipt)
    auth = {"type": "api_key", "key": "k"}
    [warning] = connect("http://127.0.0.1:9", auth=auth).check()
    assert (warning.severity, warning.found) == ("warning", "asynchronous")
    assert connect("http://127.0.0.1:9", auth=auth, asynchronous=False).check() == []
    assert connect("http://127.0.0.1:9", auth=auth, asynchronous=LATER).check() == []


def test_settings_of_a_later_answer_that_could_never_end_are_found(connect: Connect) -> None:
    assert connect("http://127.0.0.1:9", asynchronous={"state": "$.status"}).check()
    assert connect("http://127.0.0.1:9", asynchronous={"path": "/auftraege/{id}"}).check()


# --- Versions ---------------------------------------------------------------------------------------------------------

PUT = {"method": "PUT", "path": "/vorgaenge/{nummer}", "asynchronous": None}


def test_a_case_is_changed_only_as_it_was_read(tmp_path: Path, connect: Connect) -> None:
    with RestDepartment(write_openapi(tmp_path)) as department:
        number = connect(department.url).deliver(request("k1")).references["vorgangsnummer"]
        changes = connect(department.url, precondition="unchanged", **PUT)
        for key in ("k2", "k3"):
            receipt = changes.deliver(request(key, {**BODY, "nummer": number, "art": "ALT"}))
            assert receipt.references["vorgangsnummer"] == number
        error = failed(lambda: changes.deliver(request("k4", {**BODY, "nummer": "gibt-es-nicht"})))
        assert (type(error), error.code) == (Permanent, "rest.not_there")
        careless = connect(department.url, **PUT)
        assert failed(lambda: careless.deliver(request("k5", {**BODY, "nummer": number}))).code.startswith("http.428")
    assert [record.key for record in department.received] == ["k1", "k2", "k3"]


def test_what_was_changed_between_reading_and_writing_is_read_anew_by_the_next_attempt(connect: Connect) -> None:
    def answer(asked: HttpRequest) -> HttpReply:
        return json_reply(200, ETag='"1"') if asked.method == "GET" else json_reply(412)

    with Scripted(answer) as department:
        changes = connect(department.url, precondition="unchanged", **PUT)
        error = failed(lambda: changes.deliver(request(body={**BODY, "nummer": "1"})))
    assert (type(error), error.code) == (Retryable, "rest.changed_meanwhile")
    assert [asked.headers.get("if-match") for asked in department.requests] == [None, '"1"']


@pytest.mark.parametrize("tag", ["", 'W/"1"'])
def test_without_a_version_that_can_match_nothing_is_changed(connect: Connect, tag: str) -> None:
    with Scripted(lambda _: json_reply(200, **({"ETag": tag} if tag else {}))) as department:
        changes = connect(department.url, precondition="unchanged", **PUT)
        error = failed(lambda: changes.deliver(request(body={**BODY, "nummer": "1"})))
    assert (error.code, [asked.method for asked in department.requests]) == ("rest.no_etag", ["GET"])


def test_what_is_only_made_if_absent_is_there_already_the_second_time(tmp_path: Path, connect: Connect) -> None:
    with RestDepartment(write_openapi(tmp_path)) as department:
        adapter = connect(department.url, key="$.nummer", precondition="absent", **PUT)
        first, second = adapter.deliver(request()), adapter.deliver(request())
    assert (first.already_there, second.already_there) == (False, True)
    assert first.references == second.references != {}
    assert len(department.received) == 1


# --- Who asks ---------------------------------------------------------------------------------------------------------

OAUTH = {"type": "oauth", "client_id": "gateway", "client_secret": "geheim"}


@pytest.mark.parametrize("place", ["header", "query"])
def test_an_api_key_goes_where_the_document_or_the_file_says(tmp_path: Path, connect: Connect, place: Any) -> None:
    gate = Gatekeeper(api_key=ApiKey("X-Amt" if place == "header" else "schluessel", "geheim & co", place))
    auth = {"type": "api_key", "key": "geheim & co"} | (
        {} if place == "header" else {"name": "schluessel", "in": place}
    )
    with RestDepartment(write_openapi(tmp_path), gate=gate) as department:
        adapter = connect(department.url, auth=auth)
        adapter.deliver(request())
        adapter.ping()
        shown = adapter.preview(request())
        assert "geheim" not in str(shown)
        assert "***" in (shown.address if place == "query" else shown.headers["X-Amt"])
        wrong = connect(department.url, auth=auth | {"key": "falsch"})
        error = failed(lambda: wrong.deliver(request()))
    assert (type(error), error.failure) == (Permanent, "auth")


@pytest.mark.parametrize("where", ["header", "body"])
def test_a_token_is_shared_and_renewed_once_when_it_was_taken_back(
    tmp_path: Path, connect: Connect, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gatekeeper(basic="gateway:geheim", tokens=True, form_secret=where == "body")
    with caplog.at_level(logging.DEBUG), RestDepartment(write_openapi(tmp_path), gate=gate) as department:
        auth = {**OAUTH, "token_url": f"{department.url}/token", "credentials": where}
        adapter = connect(department.url, auth=auth)
        adapter.deliver(request("k1"))
        adapter.deliver(request("k2"))
        assert gate.issued == 1
        gate.revoke()
        adapter.deliver(request("k3"))
        assert gate.issued == 2
        error = failed(lambda: connect(department.url, auth=auth | {"client_secret": "falsch"}).deliver(request("k4")))
    assert (type(error), error.failure, error.code) == (Permanent, "auth", "oauth.http.401")
    assert [record.key for record in department.received] == ["k1", "k2", "k3"]
    assert "geheim" not in caplog.text
    assert "token-" not in caplog.text


def test_without_a_secret_the_token_endpoint_gets_the_client_id_alone(connect: Connect) -> None:
    def answer(asked: HttpRequest) -> HttpReply:
        return json_reply(200, '{"access_token": "t"}') if asked.path == "/token" else json_reply(201)

    with Scripted(answer) as department:
        auth = {"type": "oauth", "client_id": "gateway", "token_url": f"{department.url}/token"}
        connect(department.url, openapi=None, auth=auth).deliver(request())
    assert department.requests[0].body == b"grant_type=client_credentials&client_id=gateway"
    assert "authorization" not in department.requests[0].headers


def test_the_check_says_when_the_document_wants_credentials_and_the_file_has_none(connect: Connect) -> None:
    [warning] = connect("http://127.0.0.1:9", asynchronous=False).check()
    assert (warning.severity, warning.found) == ("warning", "auth")
    assert "apiKey" in warning.text.de


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(connect: Connect, status: int) -> None:
    with Scripted(lambda asked: json_reply(status, Location="/login")) as department:
        error = failed(lambda: connect(department.url).deliver(request()))
    assert (type(error), error.failure) == (Permanent, "contract")
    assert len(department.requests) == 1


# --- Why not ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "code", "lines"),
    [
        (
            '{"type": "https://amt.example/probleme/frist-versaeumt", "title": "Spät", "detail": "Am 1.2. für Müller"}',
            "http.422.frist-versaeumt",
            ["type: https://amt.example/probleme/frist-versaeumt", "title: Spät", "detail: Am 1.2. für Müller"],
        ),
        (
            '{"title": "Falsch", "errors": [{"pointer": "#/name", "detail": "zu lang"}, {"field": "ort"}, "sonst"]}',
            "http.422",
            ["title: Falsch", "- #/name: zu lang", "- ort", "- sonst"],
        ),
        (
            '{"type": "about:blank", "title": "Falsch", "invalid-params": [{"name": "ort", "reason": "fehlt"}]}',
            "http.422",
            ["type: about:blank", "title: Falsch", "- ort: fehlt"],
        ),
        ('{"title": "Falsch", "errors": {"name": ["zu lang"]}}', "http.422", ["title: Falsch", "- name: ['zu lang']"]),
        ('{"type": "urn:p:Mueller", "title": "T"}', "http.422", ["type: urn:p:Mueller", "title: T"]),
        ('{"type": "urn:p:fall-4711", "title": "T"}', "http.422", ["type: urn:p:fall-4711", "title: T"]),
        ('{"fehler": 7}', "http.422", ['{"fehler": 7}']),
        ("no json", "http.422", ["no json"]),
    ],
    ids=[
        "type",
        "errors",
        "invalid-params",
        "by field",
        "a name in the type",
        "a number in the type",
        "no problem",
        "text",
    ],
)
@pytest.mark.parametrize("media_type", ["application/problem+json", "application/json"])
def test_a_problem_is_told_in_its_own_words_where_they_are_kept_secret(
    connect: Connect, problem: str, code: str, lines: list[str], media_type: str
) -> None:
    with Scripted(lambda _: HttpReply(422, media_type, problem.encode())) as department:
        error = failed(lambda: connect(department.url).deliver(request()))
    assert (type(error), error.failure, error.code) == (Permanent, "rejected_by_target", code)
    assert error.detail.splitlines() == lines
    assert "Müller" not in str(error)


def test_a_problem_may_be_told_by_a_row_of_the_targets_faults(connect: Connect) -> None:
    answer = HttpReply(409, "application/problem+json", b'{"type": "urn:amt:bekannt", "vorgangsnummer": "V7"}')
    with Scripted(lambda _: answer) as department:
        adapter = connect(department.url, faults=[{"match": "409 urn:amt:bekannt", "outcome": "already_there"}])
        receipt = adapter.deliver(request())
    assert (receipt.already_there, dict(receipt.references)) == (True, {"vorgangsnummer": "V7"})


@pytest.mark.parametrize(
    ("body", "kind", "failure"),
    [
        ('{"title": "Nein", "status": 422}', Permanent, "rejected_by_target"),
        ('{"title": "Nein", "status": "403"}', Permanent, "auth"),
        ('{"title": "Später", "status": 503}', Retryable, "unavailable"),
        ('{"title": "Hm"}', OutcomeUnknown, "unknown_outcome"),
        ('{"title": "Hm", "status": 200}', OutcomeUnknown, "unknown_outcome"),
        ("{", OutcomeUnknown, "unknown_outcome"),
    ],
)
def test_a_problem_under_a_status_of_success_is_what_it_says_it_is(
    connect: Connect, body: str, kind: type[DeliveryError], failure: str
) -> None:
    with Scripted(lambda _: HttpReply(200, "application/problem+json", body.encode())) as department:
        error = failed(lambda: connect(department.url).deliver(request()))
    assert (type(error), error.failure) == (kind, failure)


@pytest.mark.parametrize(
    ("status", "changed", "unknown"),
    [
        (201, {}, "rest.answer_invalid"),  # declared, with a body
        (200, {}, "rest.answer_invalid"),  # not declared; every declared success has a body
        (200, {"openapi": None}, "rest.answer_unreadable"),  # references were to be read
        (204, {}, None),
        (204, {"openapi": None}, None),
        (202, {"asynchronous": False}, None),
    ],
)
def test_a_success_without_a_body_is_unknown_where_one_was_promised(
    connect: Connect, status: int, changed: dict[str, Any], unknown: str | None
) -> None:
    with Scripted(lambda _: HttpReply(status, "application/json", b"")) as department:
        adapter = connect(department.url, **changed)
        if unknown is not None:
            error = failed(lambda: adapter.deliver(request()))
            assert (type(error), error.code) == (OutcomeUnknown, unknown)
        else:
            assert dict(adapter.deliver(request()).references) == {}


@pytest.mark.parametrize(("told", "right"), [('"k1"', True), ('"k2"', False), ("null", False)])
def test_an_answer_that_repeats_another_key_is_somebody_elses(connect: Connect, told: str, right: bool) -> None:
    body = f'{{"vorgangsnummer": "7", "fremdId": {told}}}'
    with Scripted(lambda _: json_reply(201, body)) as department:
        adapter = connect(department.url, openapi=None, echo="$.fremdId")
        if right:
            assert adapter.deliver(request()).references["vorgangsnummer"] == "7"
        else:
            error = failed(lambda: adapter.deliver(request()))
            assert (type(error), error.code) == (OutcomeUnknown, "rest.answer_unexpected")


def test_an_echo_that_the_document_does_not_know_is_found(connect: Connect) -> None:
    findings = connect("https://department.example", echo="$.fremdId").check()
    assert [finding.found for finding in findings if finding.severity == "error"] == ["echo"]


def test_an_answer_in_xml_is_read_by_the_same_paths(connect: Connect) -> None:
    xml = b'<e xmlns="urn:x"><vorgangsnummer>V1</vorgangsnummer></e>'
    with Scripted(lambda _: HttpReply(201, "application/xml", xml)) as department:
        receipt = connect(department.url, openapi=None).deliver(request())
    assert dict(receipt.references) == {"vorgangsnummer": "V1"}


def test_the_served_document_is_compared_only_where_it_is_said_to_be(tmp_path: Path, connect: Connect) -> None:
    with RestDepartment(write_openapi(tmp_path), served_at="/openapi") as department:
        adapter = connect(department.url, served_at="/openapi")
        assert isinstance(adapter, ServesContract)
        assert adapter.compare_contract() == []
        assert connect(department.url).compare_contract() is None
        assert isinstance(failed(lambda: connect(department.url, served_at="/weg").compare_contract()), Permanent)
