"""How a row of kills is run, in either shape."""

from __future__ import annotations

from city import until
from crash_rows import Kill
from crash_world import Sent, World, wait_all


def kill_and_recover(world: World, row: Kill, *, count: int = 2, hit: int = 1) -> list[Sent]:
    """Given submissions on their way, when the process dies at the row's moment and is started again, then all is
    well by itself. The submissions, drained and checked.
    """
    if row.told:
        kind, times = row.told
        world.tell(row.target, kind, times=times)
    world.arm(row.point, hit=hit, target=row.target)
    before = len(world.sent)
    sending = [world.send() for _ in range(count)]
    role = world.wait_for_death()
    if row.stored is False and count == 1:
        assert world.store.counts() == {} or not any(sent.told for sent in world.sent[before:])
    world.start(role)
    sent = wait_all(sending)
    world.drain()
    if row.told:
        world.tell(row.target, "ok")
    world.check()
    return sent


def as_the_row_says(world: World, row: Kill, sent: list[Sent]) -> None:
    """The delivery at which the process died ended as its row says; the others as if nothing had been."""
    targets = world.departments if row.target == "-" else [row.target]
    deliveries = [(t, world.delivery(s, t)) for s in sent for t in targets]
    if row.target == "-" and row.attempts is None:
        assert {d.state for _, d in deliveries} == {row.ends}
        return
    most = max(deliveries, key=lambda d: d[1].attempts)
    assert most[1].attempts == row.attempts
    assert {d.state for _, d in deliveries} == {row.ends}
    if row.ends == "delivered":
        marks = [world.effects(t, d.delivery_id) for t, d in deliveries]
        until(lambda: all(marks), "every case")
        assert any(m[-1] for m in marks) == row.marked
