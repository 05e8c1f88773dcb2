"""How a row of kills is run, in either shape."""

from __future__ import annotations

from crash_rows import Kill
from crash_world import Sent, World, wait_all


def kill_and_recover(world: World, row: Kill, *, count: int = 1, hit: int = 1) -> list[Sent]:
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
    if row.stored is False:
        assert not any(sent.told for sent in world.sent[before:]), "told that it was accepted, before it was stored"
    world.start(role)
    sent = wait_all(sending)
    world.drain()
    if row.told:
        world.tell(row.target, "ok")
    world.check()
    return sent


def as_the_row_says(world: World, row: Kill, sent: list[Sent]) -> None:
    """The delivery at which the process died ended as its row says (row.target `-`: all did). One submission: what else
    was on its way at that moment may have been in the middle of an attempt, too.
    """
    for target in world.departments if row.target == "-" else [row.target]:
        for one in sent:
            delivery = world.delivery(one, target)
            assert delivery.state == row.ends
            if row.attempts is not None:
                assert delivery.attempts == row.attempts
            if row.target != "-" and row.ends == "delivered":
                assert world.effects(target, delivery.delivery_id)[-1] == row.marked
