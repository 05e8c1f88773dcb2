"""Merkle trees as RFC 6962 §2.1 (and RFC 9162 §2.1) has them. Pure functions over SHA-256; hashes are 32 bytes.

Leaves and inner nodes are hashed with different prefixes, so that no inner node can pass for a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The head of the tree over these leaf hashes; of none: the hash of nothing, as the RFC has it."""
    if not leaves:
        return hashlib.sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        # An odd one out goes up as it is: the same tree as the RFC's split at the largest power of two.
        pairs = [_inner(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def audit_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """What has to be known beside leaf `index` to compute the root, from the bottom up (RFC 6962 §2.1.1)."""
    path: list[bytes] = []
    level = list(leaves)
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        pairs = [_inner(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
        index //= 2
    return path


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that this path leads to (RFC 9162 §2.1.3.2); None when it cannot be one of a tree of `size` leaves."""
    if not 0 <= index < size:
        return None
    node, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            found = _inner(beside, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = _inner(found, beside)
        node, last = node >> 1, last >> 1
    return found if last == 0 else None
