"""What `target.yaml` says of a REST target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapters.http import HttpSettings
from adapters.openapi import kind_of
from adapters.periods import Seconds
from adapters.settings import Condition, PathText


def _writable(value: str) -> str:
    if kind_of(value) is None:
        raise ValueError("JSON, XML, application/x-www-form-urlencoded or multipart/form-data")
    return value


class Asynchronous(BaseModel):
    """`asynchronous:` — the target answers 202 and says later, at an address of its own host, what came of it.

    location: where the body of the 202 has that address; default: the header `Location`. path: `/auftraege/{id}` below
    `url`, where `location` is no address but an id.
    state: where the answer there says how it stands, with its values for an end: done, failed. Without it a 200 or 201
    is the end. references: paths in that answer; default: the target's.
    interval: between two questions where the target does not say (`Retry-After`); default: ever longer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    location: PathText | None = None
    path: str | None = Field(default=None, pattern=r"^/.*\{id\}")
    state: PathText | None = None
    done: list[str] = Field(default_factory=list)
    failed: list[str] = Field(default_factory=list)
    references: dict[str, PathText] = Field(default_factory=dict)
    interval: Annotated[Seconds, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _ends(self) -> Asynchronous:
        if (self.state is None) != (not self.done):
            raise ValueError("state and done belong together: without both no answer could be the end")
        if self.path is not None and self.location is None:
            raise ValueError("path needs location: where the body of the 202 has the id")
        return self


class RestSettings(HttpSettings):
    """`target.yaml` of a REST target, besides what every HTTP target has.

    path: below `url`, as in the OpenAPI document; `{name}`, also in a query, is filled with the request's member
    of that name.
    media_type: of the request, where the document lets choose. repeat_mark: where the body says that it may be a
    repeat, besides the header.
    success, already_there: what the answer says (see the SOAP adapter; the same meaning).
    precondition: `unchanged` reads the resource first and changes it only as read (`If-Match`); `absent` only makes
    what is not there (`If-None-Match: *`).
    asynchronous: false = a 202 is all that this target ever says.
    """

    openapi: str | None = None
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    path: str = ""
    media_type: Annotated[str, AfterValidator(_writable)] | None = None
    repeat_mark: PathText | None = None
    success: Condition | None = None
    already_there: Condition | None = None
    precondition: Literal["unchanged", "absent"] | None = None
    asynchronous: Asynchronous | Literal[False] | None = None


class RestProbe(BaseModel):
    """`probe:` — a GET by our key.

    path: `/vorgaenge?fremdId={key}` is a search: an empty list says no. `/vorgaenge/{key}` names the case itself: 404
    says no; after a search 404 is a wrong path.
    references: paths in the answer (`$[0].vorgangsnummer` in a list).
    key: a place in the answer that must hold our key, for searches that could find others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET"] = "GET"
    path: str = Field(pattern=r"\{key\}")
    references: dict[str, PathText] = Field(default_factory=dict)
    key: PathText | None = None

    def names_the_case(self) -> bool:
        return "{key}" in self.path.partition("?")[0]
