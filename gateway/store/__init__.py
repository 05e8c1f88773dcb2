"""Everything the gateway keeps. `Store` is the only door; the other modules are behind it."""

from gateway.store.content import ContentDamaged, ContentErased
from gateway.store.keys import KeyRing
from gateway.store.records import (
    Accepted,
    Announcement,
    Attempt,
    AttemptStart,
    Claimed,
    DeadLetter,
    DeliveryView,
    HeldSubmission,
    KeyReused,
    Likeness,
    NotClaimable,
    OpenAtTarget,
    OutboxRow,
    Pair,
    Standing,
    SubmissionView,
    Twin,
)
from gateway.store.store import Store

__all__ = [
    "Accepted",
    "Announcement",
    "Attempt",
    "AttemptStart",
    "Claimed",
    "ContentDamaged",
    "ContentErased",
    "DeadLetter",
    "DeliveryView",
    "HeldSubmission",
    "KeyReused",
    "KeyRing",
    "Likeness",
    "NotClaimable",
    "OpenAtTarget",
    "OutboxRow",
    "Pair",
    "Standing",
    "Store",
    "SubmissionView",
    "Twin",
]
