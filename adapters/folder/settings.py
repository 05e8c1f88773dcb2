"""What `target.yaml` says of a folder, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import asyncssh
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapters.base import TargetConfig
from adapters.folder.body import Form, JsonForm, SchemaUnusable, XmlForm
from adapters.folder.names import PathPattern
from adapters.folder.sftp import Server
from adapters.settings import AdapterSettings, PathText, config_finding
from xoev_schemas.findings import Finding, Text

MARKER = ".ozg-gateway"
"""The file that says that a folder is the right one, where `target.yaml` names no other."""


def _folder_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("file", "sftp") or not parts.path.startswith("/"):
        raise ValueError("a folder's address is file:///PATH or sftp://USER@HOST/PATH")
    if parts.password is not None or parts.query or parts.fragment:
        raise ValueError("only user, host, port and path stand in the address; the password has a setting of its own")
    if parts.scheme == "file" and parts.netloc:
        raise ValueError("a folder of this machine has no host: file:///PATH")
    if parts.scheme == "sftp" and not (parts.username and parts.hostname):
        raise ValueError("SFTP needs a user and a host: sftp://USER@HOST/PATH")
    if ".." in unquote(parts.path).split("/"):
        raise ValueError("the path holds no '..'")
    return value


class FolderSettings(AdapterSettings):
    """`target.yaml` of a folder.

    url: `file:///mnt/bauamt/eingang`, or `sftp://user@host:22/eingang`.
    marker: a file that must be in the folder. A share that is not mounted looks like an empty folder: whatever was
    written there would be on the wrong disk, and lost when the share comes back.
    schema: JSON Schema or XSD in the target's folder. element: the XSD's root element, where it declares several.
    ready: ending of an empty file beside the folder (`KEY.ok`), for departments that wait for one.
    host_keys: the server's public keys (`ssh-ed25519 AAAA…`). private_key: OpenSSH or PEM, the text itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    url: Annotated[str, AfterValidator(_folder_url)]
    marker: str = Field(default=MARKER, pattern=r"^\.?[^./\\][^/\\]*$")
    format: Literal["json", "xml"] = "json"
    schema_file: str | None = Field(default=None, alias="schema")
    element: str | None = None
    ready: str | None = Field(default=None, pattern=r"^\.[A-Za-z0-9_-]{1,20}$")
    host_keys: list[str] = Field(default_factory=list)
    password: str | None = None
    private_key: str | None = None
    private_key_password: str | None = None

    @property
    def address(self) -> SplitResult:
        return urlsplit(self.url)


class ReceiptFile(BaseModel):
    """A file that the department writes back, JSON or XML (by its ending). references: paths in it; default: the
    target's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    glob: PathPattern
    references: dict[str, PathText] = Field(default_factory=dict)


class FolderProbe(BaseModel):
    """`probe:`, only where a folder that was handed over stays findable, in its place or where the department moves it.

    done: patterns of those places, below the target's folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    done: list[PathPattern] = Field(default_factory=list)
    receipt: ReceiptFile | None = None


def form(settings: FolderSettings, config: TargetConfig) -> Form:
    """How the request is written. Raises SchemaUnusable."""
    file = Path(config.folder) / settings.schema_file if settings.schema_file is not None else None
    if settings.format == "json":
        return JsonForm(file)
    if file is None:
        raise SchemaUnusable("XML needs a schema: it gives order and namespaces")
    return XmlForm(file, settings.element)


def server(settings: FolderSettings) -> Server:
    """Raises asyncssh.KeyImportError for keys that are none."""
    parts = settings.address
    for key in settings.host_keys:
        asyncssh.import_public_key(key)
    private = settings.private_key
    return Server(
        host=parts.hostname or "",
        port=parts.port or 22,
        username=unquote(parts.username or ""),
        folder=unquote(parts.path),
        host_keys=tuple(settings.host_keys),
        password=settings.password,
        private_key=asyncssh.import_private_key(private, settings.private_key_password) if private else None,
    )


def faults(settings: FolderSettings, config: TargetConfig) -> list[Finding]:
    """What does not fit together; each names its setting."""
    found: list[Finding] = []
    try:
        form(settings, config)
    except SchemaUnusable as error:
        found.append(_fault(config, "schema", Text("Das Schema ist nicht brauchbar.", f"{error}.")))
    if settings.address.scheme == "sftp":
        found += _server_faults(settings, config)
    return found


def _server_faults(settings: FolderSettings, config: TargetConfig) -> list[Finding]:
    found: list[Finding] = []
    if not settings.host_keys:
        text = Text("Der öffentliche Schlüssel des Servers fehlt.", "The server's public key is missing.")
        found.append(_fault(config, "host_keys", text))
    if settings.password is None and settings.private_key is None:
        text = Text("Weder Kennwort noch Schlüssel sind angegeben.", "There is neither a password nor a key.")
        found.append(_fault(config, "password", text))
    try:
        server(settings)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        text = Text("Ein Schlüssel oder der Port ist nicht lesbar.", "A key or the port cannot be read.")
        found.append(_fault(config, "private_key" if settings.private_key else "host_keys", text))
    return found


def _fault(config: TargetConfig, setting: str, text: Text) -> Finding:
    return config_finding(
        config,
        f"{setting}: {text.de}",
        f"{setting}: {text.en}",
        remedy=Text("Berichtigen Sie target.yaml.", "Correct target.yaml."),
        found=setting,
        code="config.folder",
    )
