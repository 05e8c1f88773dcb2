"""What `target.yaml` of a SOAP target says."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from adapters.http import HttpSettings
from adapters.settings import Condition, PathText
from adapters.soap.security import SecuritySettings

HEADER = "_header"
"""Member of a request that holds header fields: name of the WSDL's part → value."""


class SoapSettings(HttpSettings):
    """`target.yaml` of a SOAP target, besides what every HTTP target has.

    wsdl: file in the target's folder. port: which, if several have the operation (default: the first).
    repeat_mark: where the request says that it may be a repeat; set to true, only then.
    attachments_as: `base64` in the message, or `mtom` beside it.
    soap_headers: fixed header fields, by the name of the WSDL's part; what differs per case is mapped to `_header`.
    addressing: WS-Addressing in requests; default: where the WSDL says so (`wsam:Action`). addressed_to: `wsa:To` of a
    target that is not called what its address is.
    success: what the answer must say (targets that refuse by a number in the body; a missing value makes the outcome
    unknown).
    already_there: what the answer says when the target knew our key.
    """

    wsdl: str
    operation: str
    port: str | None = None
    attachments_as: Literal["base64", "mtom"] = "base64"
    soap_headers: dict[str, Any] = Field(default_factory=dict)
    addressing: bool | None = None
    addressed_to: str | None = None
    security: SecuritySettings | None = None
    repeat_mark: PathText | None = None
    success: Condition | None = None
    already_there: Condition | None = None


class SoapProbe(BaseModel):
    """`probe:` — a search operation by our key.

    key: where the key stands in the search (default: the last name of the target's `key`, at the top).
    references: where its answer carries them (default: as in the delivery's answer).
    found: a place that is filled exactly when there is a case; without it, any reference counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str
    key: PathText | None = None
    references: dict[str, PathText] = Field(default_factory=dict)
    found: PathText | None = None
