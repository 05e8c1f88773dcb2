"""How references are compared."""

from __future__ import annotations

import unicodedata


def folded(reference: str) -> str:
    """As it is compared: without case, white space and dashes; `STK-2026 / 17` is `stk2026/17`."""
    text = unicodedata.normalize("NFKC", reference).casefold()
    return "".join(sign for sign in text if not sign.isspace() and unicodedata.category(sign) != "Pd")
