"""Whether what an import brings is what is installed, and what becomes of both."""

from __future__ import annotations

from dataclasses import replace

from xoev_schemas.candidates import is_made
from xoev_schemas.findings import Text
from xoev_schemas.importing_fim import merged_forms
from xoev_schemas.sources import refused
from xoev_schemas.standards import Standard


def published(standard: Standard) -> set[str]:
    """Digests of what a publisher made; drivers and schemas made here may change with this program."""
    return {digest for path, digest in standard.files.items() if not is_made(path)}


def merged(known: Standard, new: Standard) -> Standard:
    """A standard with what came in addition. Raises ImportRefused where a version has another content than installed.

    FIM: one schema in several forms is one standard. Rules alone are added. Else only more files of the same: an
    earlier import did not know what to do with them.
    """
    differs = any(known.files.get(path, digest) != digest for path, digest in new.files.items() if not is_made(path))
    if new.schemas and not new.is_fim:
        differs = not published(known) <= published(new)
    if differs:
        raise refused(
            "schemas.already_installed",
            new.ref,
            Text(
                f"{new.ref} ist schon mit anderem Inhalt installiert.",
                f"{new.ref} is installed already, with other content.",
            ),
            Text(
                f"Ein veröffentlichter Standard ändert sich nicht. Zum Ersetzen: gateway schemas remove {new.ref}. Als "
                "zweite Fassung daneben: gateway schemas import --variant NAME",
                f"A published standard does not change. To replace it: gateway schemas remove {new.ref}. As a second "
                "set beside it: gateway schemas import --variant NAME",
            ),
        )
    if new.schemas and not new.is_fim:
        return new
    return replace(
        known,
        schema_uris=sorted({*known.schema_uris, *new.schema_uris}),
        files={**known.files, **new.files},
        schemas=merged_forms(known.schemas, new.schemas),
        schematron=sorted({*known.schematron, *new.schematron}),
        xdf=new.xdf or known.xdf,
    )
