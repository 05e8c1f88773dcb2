"""What operators must not have to look for: outcomes are counted, and every dead letter leaves one line in the log.

Ids, names, classes and codes only.
"""

from __future__ import annotations

import structlog

from gateway.delivery import Dead, Delivery, Outcome
from gateway.metrics import Metrics
from gateway.submission import Checked

log = structlog.get_logger()


def ended(metrics: Metrics, delivery: Delivery, outcome: Outcome) -> None:
    """One turn with a delivery has ended, and is stored."""
    metrics.outcome(delivery, outcome)
    if isinstance(outcome, Dead):
        dead_letter(
            outcome.failure,
            outcome.code,
            submission=delivery.submission_id,
            service=delivery.service,
            delivery=delivery.delivery_id,
            target=delivery.target,
            why=outcome.cause,
        )


def kept(submission_id: str, checked: Checked) -> None:
    """A submission was kept: one that waits for a person or for the scanner leaves a line."""
    if checked.decision == "clarify":
        errors = [finding.code for finding in checked.findings if finding.severity == "error"]
        dead_letter("clarify", errors[0], submission=submission_id, service=checked.service)
    elif checked.decision == "hold":
        log.warning("submission.held", submission=submission_id, service=checked.service)


def dead_letter(failure: str, code: str, **facts: str | None) -> None:
    """A dead letter was made. facts: `submission`, `service`, `delivery`, `target`; `why`: of what was given up, the
    class of the last failure. None: not known.
    """
    known = {name: value for name, value in facts.items() if value}
    log.warning("dead_letter.created", failure=failure, code=code, **known)
