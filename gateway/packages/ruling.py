"""What a service adds to the verdict of the standard: its own rules, and whether it takes test messages.

Intake, `gateway validate`, `POST /v1/validate` and the samples of packages all ask `judged_by_service`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.mapping.rules import RuleSet, rule_findings
from gateway.mapping.run import document_node
from gateway.packages.model import Accepts, Service, Stage
from xoev_schemas.documents import parse
from xoev_schemas.fim.rules import unevaluated_rules
from xoev_schemas.findings import Finding, Text
from xoev_schemas.ladder import Checker, keeps_schema
from xoev_schemas.standards import Judgement

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry

_NOT_EVALUATED = "fim.rules_not_evaluated"
_TEST_MARK = "convention.test_message"


def judged_by_service(
    service: Service,
    accepts: Accepts,
    checker: Checker,
    data: bytes,
    media_type: str,
    judgement: Judgement,
    stage: Stage,
) -> Judgement:
    """The judgement with the findings of layer `service`; `valid` stays the standard's word.

    judgement: what `checker` says of these data. stage: of the installation; it decides on test messages where the
    service does not. Rules presuppose a message that keeps its schema; that they were not judged is said.
    """
    findings = list(judgement.findings)
    if judgement.test and refuses_tests(service, stage):
        findings.append(_test_refused(service, findings))
    if accepts.rules is not None and not keeps_schema(judgement):
        findings.append(_not_run(service))
    elif accepts.rules is not None:
        findings = _less_unevaluated(findings, accepts.rules, checker.registry, judgement.standard)
        root = document_node(judgement.document or parse(data, media_type, checker.limits))
        names = checker.registry.names(judgement.standard)
        findings += rule_findings(accepts.rules, root, service.name, names)
    return replace(judgement, findings=findings)


def refuses_tests(service: Service, stage: Stage) -> bool:
    """In production nobody expects a test: a real application with a slip in it would be taken and reach nobody."""
    chosen = service.test_messages or ("refuse" if stage == "production" else "accept")
    return chosen == "refuse"


def _less_unevaluated(findings: list[Finding], rules: RuleSet, registry: Registry, standard: str) -> list[Finding]:
    """FIM rules that the service evaluates are no longer told as not evaluated."""
    model = registry.fim(standard) if rules.covers else None
    if model is None:
        return findings
    rest = unevaluated_rules(model, rules.covers)
    told = [rest if finding.code == _NOT_EVALUATED else finding for finding in findings]
    return [finding for finding in told if finding is not None]


def _test_refused(service: Service, findings: list[Finding]) -> Finding:
    mark = next((finding for finding in findings if finding.code == _TEST_MARK), None)
    return Finding(
        "service.test_refused",
        "error",
        "service",
        Text(
            "Die Nachricht ist als Test gekennzeichnet; diese Leistung nimmt hier keine Testnachrichten an.",
            "The message is marked as a test; this service takes no test messages here.",
        ),
        path=mark.path if mark else "",
        line=mark.line if mark else None,
        remedy=Text(
            "Lassen Sie bei echten Anträgen das Attribut „test“ weg; senden Sie Tests an eine Testumgebung.",
            "Leave the attribute `test` out of real applications; send tests to a test installation.",
        ),
        source=f"{service.name} · XÖV S102",
    )


def _not_run(service: Service) -> Finding:
    return Finding(
        "service.rules_not_run",
        "info",
        "service",
        Text(
            "Die Regeln der Leistung wurden nicht geprüft, weil die Daten das Schema nicht einhalten.",
            "The service's rules were not checked, because the data do not keep the schema.",
        ),
        remedy=Text(
            "Beheben Sie zuerst die Fehler gegen das Schema und prüfen Sie erneut.",
            "Mend the errors against the schema first, then check again.",
        ),
        source=service.name,
    )
