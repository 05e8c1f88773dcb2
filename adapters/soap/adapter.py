"""The SOAP adapter: a request in the shape of the operation's message goes out valid or not at all, and any answer is
a decision.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from lxml import etree

from adapters import paths
from adapters.base import FieldSpec, OutcomeUnknown, Permanent, Preview, Receipt, Request, TargetConfig
from adapters.contract import differences, missing_answers
from adapters.guard import Progress, only_decisions, only_questions
from adapters.http import Answer, check_tls
from adapters.settings import config_finding, read_settings_and_probe
from adapters.soap.checks import check_headers, check_paths, check_probe, request_fields, soap_finding
from adapters.soap.port import KnownKey, Port
from adapters.soap.security import load_identity
from adapters.soap.served import bring
from adapters.soap.settings import SoapProbe, SoapSettings
from adapters.soap.wsdl import Wsdl, WsdlUnusable
from xoev_schemas.findings import Finding

__all__ = ["SoapAdapter", "SoapProbe", "SoapSettings"]


class SoapAdapter:
    """One SOAP target. The WSDL is read at the first use and shared by all threads."""

    def __init__(self, config: TargetConfig) -> None:
        self._config = config
        self._settings, self._probe, self._wrong = read_settings_and_probe(SoapSettings, SoapProbe, config)
        self._lock = threading.Lock()
        self._opened: Port | None = None

    def check(self) -> list[Finding]:
        if self._settings is None or self._wrong:
            return list(self._wrong)
        settings, probe = self._settings, self._probe
        findings = check_tls(settings.tls, self._config)
        setting = "wsdl"
        try:
            wsdl = Wsdl(Path(self._config.folder) / settings.wsdl)
            setting = "operation"
            called = [wsdl.operation(settings.operation, port=settings.port)]
            setting = "probe.operation"
            called += [wsdl.operation(probe.operation, port=settings.port)] if probe is not None else []
        except WsdlUnusable as error:
            unusable = soap_finding(self._config, "Datei oder Vorgang sind nicht brauchbar.", str(error), setting)
            return [*findings, unusable]
        findings += check_paths(self._config, settings, wsdl, called[0])
        findings += check_headers(self._config, settings, called)
        if probe is not None:
            findings += check_probe(self._config, settings, wsdl, probe, self._probe_key(probe))
        return findings + self._check_identity(settings)

    def _check_identity(self, settings: SoapSettings) -> list[Finding]:
        if settings.security is None or settings.security.signature is None:
            return []
        try:
            load_identity(settings.security.signature, Path(self._config.folder))
        except OSError as error:
            reason = error.strerror or str(error)
            de = f"security.signature: Zertifikat oder Schlüssel sind nicht lesbar ({reason})."
            en = f"security.signature: certificate or key cannot be read ({reason})."
            return [config_finding(self._config, de, en, found="security.signature")]
        return []

    def required_fields(self) -> list[FieldSpec] | None:
        if self._settings is None:
            return None
        try:
            port = self._port()
        except Permanent:
            return None
        return request_fields(port.wsdl, port.operation, port.settings)

    def ping(self) -> None:
        with only_decisions():
            port = self._port()
            port.connection.knock(port.settings.url)

    def deliver(self, request: Request) -> Receipt:
        with only_decisions() as progress:
            port = self._port()
            body = self._body(port, request)
            answer = port.call(port.operation, body, request.key, progress, request.attachments)
            return self._receipt(port, answer, request.key)

    def preview(self, request: Request) -> Preview:
        with only_decisions():
            port = self._port()
            return port.preview(self._body(port, request), request.key, request.attachments)

    def probe(self, key: str) -> Receipt | None:
        probe = self._probe
        if probe is None:
            raise Permanent("probe.unsupported", failure="contract")
        with only_questions():
            port = self._port()
            search = port.wsdl.operation(probe.operation, port=port.settings.port)
            body = _written({}, self._probe_key(probe), key)
            answer = port.call(search, body, key, Progress())
            return self._found(probe, port.element(search, answer, key), answer)

    def compare_contract(self) -> list[Finding] | None:
        with only_questions(), tempfile.TemporaryDirectory() as folder:
            port = self._port()
            settings, own = port.settings, request_fields(port.wsdl, port.operation, port.settings)
            if settings.served_at is None:
                return None
            try:
                wsdl = Wsdl(bring(port.fetch, urljoin(settings.url, settings.served_at), Path(folder)))
                served = wsdl.operation(settings.operation, port=settings.port)
            except WsdlUnusable as error:
                told = "Die angebotene Beschreibung ist nicht brauchbar."
                return [soap_finding(self._config, told, str(error), "served_at")]
            places = [paths.dotted(path) for path in self._config.references.values()]
            found = differences(self._config, own, request_fields(wsdl, served, settings))
            return found + missing_answers(self._config, places, wsdl.fields(served.response))

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.connection.close()
                self._opened = None

    def _port(self) -> Port:
        """The connected port, opened once. Raises Permanent when the configuration does not allow it."""
        with self._lock:
            if self._opened is None:
                if self._settings is None or self._wrong:
                    raise Permanent("config.invalid", failure="contract")
                try:
                    self._opened = Port(self._settings, self._config)
                except (WsdlUnusable, OSError) as error:
                    raise Permanent("config.invalid", failure="contract", detail=str(error)) from None
            return self._opened

    def _body(self, port: Port, request: Request) -> dict[str, Any]:
        body = _written(request.body, self._config.key, request.key)
        return _written(body, port.settings.repeat_mark, True) if request.possible_repeat else body

    def _receipt(self, port: Port, answer: Answer, key: str) -> Receipt:
        try:
            element = port.element(port.operation, answer, key)
        except KnownKey:
            return Receipt({}, answer.body, "text/xml", already_there=True)

        def read(path: str) -> str | None:
            return paths.read_xml(element, path) if element is not None else None

        settings = port.settings
        if settings.echo is not None and read(settings.echo) != key:
            raise OutcomeUnknown("soap.answer_unexpected", detail=answer.text())
        if settings.success is not None:
            verdict = settings.success.judge(read)
            if verdict is None:
                raise OutcomeUnknown("soap.success_missing", detail=answer.text())
            if not verdict:
                raise Permanent("soap.refused", detail=answer.text())
        already = settings.already_there is not None and settings.already_there.judge(read) is True
        return Receipt(_references(self._config.references, element), answer.body, "text/xml", already_there=already)

    def _found(self, probe: SoapProbe, element: etree._Element | None, answer: Answer) -> Receipt | None:
        if element is None:
            return None
        references = _references(probe.references or self._config.references, element)
        found = paths.read_xml(element, probe.found) is not None if probe.found else bool(references)
        return Receipt(references, answer.body, "text/xml", already_there=True) if found else None

    def _probe_key(self, probe: SoapProbe) -> str | None:
        if probe.key is not None or self._config.key is None:
            return probe.key
        return f"$.{paths.parse(self._config.key)[-1]}"


def _written(body: Mapping[str, Any], path: str | None, value: Any) -> dict[str, Any]:
    if path is None:
        return dict(body)
    try:
        return paths.write(body, path, value)
    except ValueError as error:
        raise Permanent("config.path", failure="contract", detail=str(error)) from None


def _references(places: Mapping[str, str], element: etree._Element | None) -> dict[str, str]:
    if element is None:
        return {}
    found = {name: paths.read_xml(element, path) for name, path in places.items()}
    return {name: value for name, value in found.items() if value is not None}
