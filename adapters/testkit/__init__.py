"""Simulated department systems, and the contract every adapter is held to (`adapters.testkit.contract`, needs pytest).

Real servers on loopback, strict about their own interface descriptions, that misbehave when told to. For tests, for
demonstrations, and for adapters made elsewhere.
"""

from adapters.testkit.behaviour import Behaviour, Kind, Script
from adapters.testkit.folder_department import FolderDepartment
from adapters.testkit.gatekeeper import ApiKey, Gatekeeper
from adapters.testkit.http_department import HttpDepartment
from adapters.testkit.ledger import Ledger, Received
from adapters.testkit.queue_department import QueueDepartment
from adapters.testkit.rest_department import RestDepartment
from adapters.testkit.soap_department import SoapDepartment
from adapters.testkit.soap_gate import Wanted

__all__ = [
    "ApiKey",
    "Behaviour",
    "FolderDepartment",
    "Gatekeeper",
    "HttpDepartment",
    "Kind",
    "Ledger",
    "QueueDepartment",
    "Received",
    "RestDepartment",
    "Script",
    "SoapDepartment",
    "Wanted",
]
