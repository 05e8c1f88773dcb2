"""A portal fetches the proof that its submission stands in the sealed record, and checks it by itself."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from intake_support import Sender, code_of

from gateway.delivery.sealing import Sealer


def test_what_was_accepted_is_proven_after_the_next_seal_to_its_sender_only(sender: Sender) -> None:
    submission_id = sender.send().json()["submissionId"]
    path = f"/v1/submissions/{submission_id}/proof"

    early = sender.get(path)
    assert code_of(early) == (409, "not_sealed_yet")
    assert early.headers["Retry-After"] == "60"
    Sealer(sender.gateway).turn()
    proof: dict[str, Any] = sender.get(path).json()

    [key] = sender.http.get("/v1/keys/audit").json()["keys"]
    assert proof["keys"] == [key]
    [item], [seal] = proof["entries"], proof["seals"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    public.verify(base64.b64decode(seal["signature"]), seal["statement"].encode())
    assert item["leaf"]["index"] == 0, "the first leaf: every sibling is to the right"
    node = hashlib.sha256(b"\x00" + hashlib.sha256(item["entry"].encode()).digest()).digest()
    for sibling in item["leaf"]["path"]:
        node = hashlib.sha256(b"\x01" + node + bytes.fromhex(sibling)).digest()
    assert node.hex() == json.loads(seal["statement"])["root"]
    entry = json.loads(item["entry"])
    assert (entry["submission_id"], entry["number"], entry["kind"]) == (submission_id, 1, "submission.accepted")
    assert code_of(sender.get(path, client_id="demo-stadtkasse")) == (403, "client_kind_wrong")
    assert code_of(sender.get(f"/v1/submissions/{'0' * 8}-0000-4000-8000-{'0' * 12}/proof")) == (404, "not_found")


def test_metrics_tell_what_waits_for_a_seal_and_whether_the_last_day_balanced(sender: Sender) -> None:
    sender.send()

    before = sender.http.get("/metrics").text
    sealer = Sealer(sender.gateway)
    now = sender.gateway.clock()
    while sealer.turn():
        pass
    sender.gateway.clock = lambda: now + timedelta(days=2)
    while Sealer(sender.gateway).turn():
        pass

    after = sender.http.get("/metrics").text
    assert "gateway_unsealed_events 0.0" not in before
    assert "gateway_unsealed_events 0.0" in after
    assert 'gateway_day_difference{service="hundesteuer-anmeldung"} 0.0' in after
