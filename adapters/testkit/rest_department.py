"""A simulated REST system: strict about its OpenAPI document, idempotent by key, searched by the sender's key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from adapters import paths
from adapters.openapi import OpenApi
from adapters.rest.adapter import REPEAT_HEADER, REPLAYED_HEADER
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest
from adapters.testkit.ledger import KeyReused, Received
from xoev_schemas.documents import JsonDocument, Unreadable, parse

Fact = Literal["number", "file"]

ANSWER: Mapping[str, Fact] = {"vorgangsnummer": "number", "aktenzeichen": "file"}


class RestDepartment(HttpDepartment):
    """path: `POST` makes a case, `GET ?search=KEY` lists those of a key; both as in the document. Any prefix before
    it is accepted.

    repeat_mark: where the body may say that it is a repeat (the header is understood anyway). answer: names in the
    answers → what they say. idempotent: the same key and content get the same answer, other content 409. Raises
    OpenApiUnusable, ValueError.
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
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(prefix=prefix, idempotent=idempotent, host=host, port=port)
        document = OpenApi(openapi)
        self._create = document.operation("POST", path)
        self._find = document.operation("GET", path)
        self._path, self._search, self._repeat_mark = path, search, repeat_mark
        names = {field.path for field in self._create.answer_fields()}
        self._answer = {name: fact for name, fact in answer.items() if name in names}
        sample = self._values(Received("key", {}, "", False, {"number": "1", "file": "1"}, known=False))
        if errors := self._create.answer_errors(201, sample) + self._find.answer_errors(200, [sample]):
            raise ValueError(f"the answers would not be valid: {errors[0]}")

    def read(self, request: HttpRequest) -> HttpReply | Case:
        if not request.path.endswith(self._path):
            return _problem(404, "not-found", "Hier ist nichts.")
        if request.method == "GET":
            return self._list(request.query.get(self._search, ""))
        if request.method != "POST":
            return _problem(405, "method", "So nicht.", {"Allow": "GET, POST"})
        key = request.headers.get("idempotency-key", "").strip().strip('"')
        if not key:
            return _problem(400, "key-missing", "Der Idempotency-Key fehlt.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _problem(415, "media-type", "Nur application/json.")
        try:
            document = parse(request.body, "application/json")
        except Unreadable:
            return _problem(400, "malformed", "Das ist kein JSON.")
        assert isinstance(document, JsonDocument)
        if errors := self._create.body_errors(document.value):
            # Real systems repeat what they got; so does this one.
            return _problem(422, "invalid", "Die Angaben sind nicht gültig.", detail=errors[0])
        body = document.value if isinstance(document.value, dict) else {}
        marked = request.headers.get(REPEAT_HEADER.lower(), "") == "true"
        if self._repeat_mark is not None:
            marked = marked or paths.read(body, self._repeat_mark) is True
        return Case(key, body, request.body, marked)

    def act(self, case: Case) -> HttpReply:
        compared: Any = case.body
        if self._repeat_mark is not None:
            compared = paths.write(case.body, self._repeat_mark, None)
        try:
            record = self.ledger.take(case.key, case.body, case.raw, marked=case.marked, compared=compared)
        except KeyReused:
            return _problem(409, "key-reused", "Der Idempotency-Key gehört zu anderem Inhalt.")
        headers = {REPLAYED_HEADER: "true"} if record.known else {}
        return HttpReply(201, "application/json", _json(self._values(record)), headers)

    def refusal(self) -> HttpReply:
        return _problem(422, "refused", "Der Vorgang wird hier nicht bearbeitet.")

    def _list(self, key: str) -> HttpReply:
        record = self.ledger.find(key)
        return HttpReply(200, "application/json", _json([self._values(record)] if record is not None else []))

    def _values(self, record: Received) -> dict[str, str]:
        return {name: record.references[fact] for name, fact in self._answer.items()}


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
