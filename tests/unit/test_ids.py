"""Our own ids are proper UUIDs that grow with time."""

from __future__ import annotations

import time
from uuid import RFC_4122, UUID

from gateway.ids import new_id


def test_ids_are_distinct_uuids_of_version_7_in_their_usual_form() -> None:
    ids = [new_id() for _ in range(5000)]

    assert len(set(ids)) == 5000
    assert {(UUID(i).version, UUID(i).variant, str(UUID(i)) == i) for i in ids} == {(7, RFC_4122, True)}


def test_later_ids_sort_after_earlier_ones_and_tell_when_they_were_made() -> None:
    first = new_id()
    made = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == made:
        pass

    assert first < new_id()
    assert abs((UUID(first).int >> 80) - made) < 1000
