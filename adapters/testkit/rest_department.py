"""A simulated REST system: strict about its OpenAPI document, idempotent by key, searched by the sender's key."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from adapters import paths
from adapters.openapi import OpenApi, OpenApiOperation, OpenApiUnusable
from adapters.rest.adapter import REPEAT_HEADER, REPLAYED_HEADER
from adapters.testkit.certificates import Authority
from adapters.testkit.gatekeeper import Gatekeeper
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest
from adapters.testkit.ledger import KeyReused, Received
from adapters.testkit.rest_bodies import Malformed, read_body

Fact = Literal["number", "file", "key"]

ANSWER: Mapping[str, Fact] = {"vorgangsnummer": "number", "aktenzeichen": "file"}
STATUS = "/auftraege/"


class RestDepartment(HttpDepartment):
    """path: `POST` makes a case, `GET ?search=KEY` lists those of a key; both as in the document. Any prefix before
    it is accepted.

    One case has the address `path/NUMBER`, and `path/KEY` where `PUT` made it: `GET` answers with an `ETag`, `PUT`
    wants `If-Match` with it (428 without, 412 with another) or `If-None-Match: *` (412 when it is there), if the
    document has a `PUT` there.
    repeat_mark: where the body may say that it is a repeat (the header is understood anyway). answer: names in the
    answers → what they say. idempotent: the same key and content get the same answer, other content 409.
    works: how many questions a new case is worked on: 202 and `Location` at first; None: it is there at once. fails:
    whether it is refused then. gate: who may speak to it. served_at: where it serves its document.
    Raises OpenApiUnusable, ValueError.
    """

    def __init__(
        self,
        openapi: Path,
        *,
        path: str = "/vorgaenge",
        search: str = "fremdId",
        repeat_mark: str | None = None,
        answer: Mapping[str, Fact] = ANSWER,
        prefix: str = "REST",
        idempotent: bool = True,
        works: int | None = None,
        fails: bool = False,
        gate: Gatekeeper | None = None,
        served_at: str | None = None,
        authority: Authority | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(prefix=prefix, idempotent=idempotent, authority=authority, host=host, port=port)
        document = OpenApi(openapi)
        self.document = openapi.read_bytes()
        self._create = _by_media_type(document, "POST", path)
        self._change = _by_media_type(document, "PUT", f"{path}/{{nummer}}", missing_ok=True)
        self._find = document.operation("GET", path)
        self._path, self._search, self._repeat_mark = path, search, repeat_mark
        self.works, self.fails, self._gate, self._served_at = works, fails, gate, served_at
        self._lock = threading.Lock()
        self._cases: dict[str, tuple[Received, int]] = {}
        self._asked: dict[str, int] = {}
        first = next(iter(self._create.values()))
        names = {field.path for field in first.answer_fields()}
        self._answer = {name: fact for name, fact in answer.items() if name in names}
        sample = self._values(Received("key", {}, "", False, {"number": "1", "file": "1"}, known=False))
        if errors := first.answer_errors(201, sample) + self._find.answer_errors(200, [sample]):
            raise ValueError(f"the answers would not be valid: {errors[0]}")

    def read(self, request: HttpRequest) -> HttpReply | Case:
        if self._gate is not None and (reply := self._gate.answer(request)) is not None:
            return reply
        if self._served_at is not None and request.path == self._served_at:
            return HttpReply(200, "application/yaml", self.document)
        if STATUS in request.path and request.method == "GET":
            return self._status(request.path.rpartition("/")[2])
        before, _, place = request.path.rpartition("/")
        if before.endswith(self._path) and self._change:
            return self._one(request, place)
        if not request.path.endswith(self._path):
            return _problem(404, "not-found", "Hier ist nichts.")
        if request.method == "GET":
            return self._list(request.query.get(self._search, ""))
        if request.method != "POST":
            return _problem(405, "method", "So nicht.", {"Allow": "GET, POST"})
        return self._case(request, self._create)

    def act(self, case: Case) -> HttpReply:
        compared: Any = case.body
        if self._repeat_mark is not None:
            compared = paths.write(case.body, self._repeat_mark, None)
        try:
            record = self.ledger.take(case.key, case.body, case.raw, marked=case.marked, compared=compared)
        except KeyReused:
            return _problem(409, "key-reused", "Der Idempotency-Key gehört zu anderem Inhalt.")
        place = case.place or record.references["number"]
        with self._lock:
            first, version = self._cases.get(place, (record, 0))
            self._cases[place] = (first, version + 1)
        if self.works is not None:
            return HttpReply(202, "application/json", b"{}", {"Location": f"{STATUS}{case.key}", "Retry-After": "1"})
        headers = {REPLAYED_HEADER: "true"} if record.known else {}
        status = 200 if case.place and version else 201
        told = first if case.place else record
        return HttpReply(status, "application/json", _json(self._values(told)), headers)

    def refusal(self) -> HttpReply:
        return _problem(422, "refused", "Der Vorgang wird hier nicht bearbeitet.")

    def failure(self) -> HttpReply:
        return _problem(500, "internal", "Etwas ist schiefgegangen.")

    def _case(
        self, request: HttpRequest, operations: Mapping[str, OpenApiOperation], place: str = ""
    ) -> HttpReply | Case:
        key = request.headers.get("idempotency-key", "").strip().strip('"')
        if not key:
            return _problem(400, "key-missing", "Der Idempotency-Key fehlt.")
        media_type = request.headers.get("content-type", "")
        operation = operations.get(media_type.partition(";")[0].strip().lower())
        if operation is None:
            return _problem(415, "media-type", f"Nur {', '.join(operations)}.")
        try:
            judged, kept = read_body(operation, media_type, request.body)
        except Malformed as error:
            return _problem(400, "malformed", "Das ist nicht lesbar.", detail=str(error))
        if errors := operation.body_errors(judged):
            # Real systems repeat what they got; so does this one.
            return _problem(422, "invalid", "Die Angaben sind nicht gültig.", detail=errors[0])
        body = kept if isinstance(kept, dict) else {}
        marked = request.headers.get(REPEAT_HEADER.lower(), "") == "true"
        if self._repeat_mark is not None:
            marked = marked or paths.read(body, self._repeat_mark) is True
        return Case(key, body, request.body, marked, place)

    def _one(self, request: HttpRequest, place: str) -> HttpReply | Case:
        """One case by its address."""
        with self._lock:
            record, version = self._cases.get(place, (None, 0))
        if request.method == "GET":
            if record is None:
                return _problem(404, "not-found", "Diesen Vorgang gibt es nicht.")
            return HttpReply(200, "application/json", _json(self._values(record)), {"ETag": f'"{version}"'})
        if request.method != "PUT":
            return _problem(405, "method", "So nicht.", {"Allow": "GET, PUT"})
        only, absent = request.headers.get("if-match"), request.headers.get("if-none-match") == "*"
        if only is None and not absent:
            return _problem(428, "precondition", "If-Match oder If-None-Match fehlt.")
        if (absent and record is not None) or (only is not None and (record is None or only != f'"{version}"')):
            return _problem(412, "changed", "Der Vorgang ist ein anderer.")
        return self._case(request, self._change, place)

    def _status(self, key: str) -> HttpReply:
        record = self.ledger.find(key)
        if record is None or self.works is None:
            return _problem(404, "not-found", "Diesen Auftrag gibt es nicht.")
        with self._lock:
            self._asked[key] = asked = self._asked.get(key, 0) + 1
        if asked <= self.works:
            return HttpReply(200, "application/json", _json({"status": "IN_ARBEIT"}), {"Retry-After": "1"})
        if self.fails:
            return HttpReply(200, "application/json", _json({"status": "ABGELEHNT", "grund": "unvollständig"}))
        return HttpReply(200, "application/json", _json({"status": "ERLEDIGT", **self._values(record)}))

    def _list(self, key: str) -> HttpReply:
        record = self.ledger.find(key)
        return HttpReply(200, "application/json", _json([self._values(record)] if record is not None else []))

    def _values(self, record: Received) -> dict[str, str]:
        told = {"key": record.key, **record.references}
        return {name: told[fact] for name, fact in self._answer.items()}


def _by_media_type(
    document: OpenApi, method: str, path: str, *, missing_ok: bool = False
) -> dict[str, OpenApiOperation]:
    """What the document takes → the operation that reads it. Raises OpenApiUnusable."""
    try:
        any_of_them = document.operation(method, path)
    except OpenApiUnusable:
        if missing_ok:
            return {}
        raise
    names = any_of_them.media_types or ("application/json",)
    return {name.partition(";")[0].strip().lower(): document.operation(method, path, name) for name in names}


def _problem(
    status: int, kind: str, title: str, headers: Mapping[str, str] | None = None, *, detail: str | None = None
) -> HttpReply:
    """RFC 9457."""
    value: dict[str, Any] = {"type": f"urn:beispiel:problem:{kind}", "title": title, "status": status}
    if detail is not None:
        value["detail"] = detail
    return HttpReply(status, "application/problem+json", _json(value), headers or {})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
