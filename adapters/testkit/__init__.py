"""Simulated department systems, and what every adapter is held to: its contract (`adapters.testkit.contract`), every
misbehaviour (`adapters.testkit.hostile`), both as a report card (`adapters.testkit.card`). These three need pytest.

Real servers on loopback, strict about their own interface descriptions, that misbehave when told to. For tests, for
demonstrations, and for adapters made elsewhere.
"""

from adapters.testkit.behaviour import Behaviour, Kind, Script
from adapters.testkit.certificates import Authority
from adapters.testkit.folder_department import FolderDepartment
from adapters.testkit.gatekeeper import ApiKey, Gatekeeper
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest
from adapters.testkit.ledger import Deed, Ledger, Received
from adapters.testkit.queue_department import QueueDepartment
from adapters.testkit.rest_department import RestDepartment
from adapters.testkit.soap_department import SoapDepartment
from adapters.testkit.soap_gate import Wanted

__all__ = [
    "ApiKey",
    "Authority",
    "Behaviour",
    "Case",
    "Deed",
    "FolderDepartment",
    "Gatekeeper",
    "HttpDepartment",
    "HttpReply",
    "HttpRequest",
    "Kind",
    "Ledger",
    "QueueDepartment",
    "Received",
    "RestDepartment",
    "Script",
    "SoapDepartment",
    "Wanted",
]
