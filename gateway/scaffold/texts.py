"""The files of a package that people fill in: `service.yaml`, `target.yaml`, `README.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xoev_schemas.fim.model import DataSchema


def service_yaml(name: str, title: str, schema: str, target: str) -> str:
    return f"""\
title: {json.dumps(title, ensure_ascii=False)}
identifiers: []  # until you name the URN that portals send (Leistungsschlüssel, LeiKa), it is found by its schema
department: {name}  # DECIDE: the owner (Amt); only its people see these cases
# regions: ["059130000000"]  # regional keys (ARS) it is for; default: everywhere
# addressees: {{fit-connect: [], xta: []}}  # destination ids, DVDV keys
accepts:
  - schema: {json.dumps(schema, ensure_ascii=False)}
    mapping: mapping.yaml
# on_invalid: {{rest: reject, fit-connect: clarify, xta: clarify}}  # DECIDE: these are the defaults
# requires: {{trust_level: substantial, payment: none}}  # DECIDE
law: {{regime: vwvfg}}  # DECIDE: vwvfg, ao, sgb or wahlrecht; secrecy: steuer, sozial …
transport_within: PT4H  # DECIDE: our own promise
# statutory: {{duration: P3M, starts: complete, basis: "§ …"}}  # DECIDE: the department's time limit
targets: [{target}]
keep: {{delivered: P30D, discarded: P6M}}  # DECIDE: how long content stays after the end
"""


def placeholder_target(department: str, target: str) -> str:
    return f"""\
# A place to begin with: REST, without a description of the interface. Yours from its own description:
# gateway services new NAME --from openapi:FILE, or --from wsdl:FILE.
adapter: rest
department: {department}
url: https://{target}.example/api  # REPLACE
path: /vorgaenge  # REPLACE
request: request.yaml
# references: {{aktenzeichen: "$.aktenzeichen"}}  # where the answer carries them
repeatable: false  # DECIDE: may the same request be sent twice?
"""


def target_yaml(name: str, department: str, settings: Mapping[str, str]) -> str:
    """settings: of the adapter, as its interface description gives them."""
    adapter = "soap" if "wsdl" in settings else "rest"
    doubt = {"url": "  # CHECK: descriptions often name a test system"}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}{doubt.get(key, '')}" for key, value in settings.items()]
    example = "$.Vorgang.FremdId" if adapter == "soap" else "$.fremdId"
    return f"""\
# Drafted from {settings.get("wsdl") or settings.get("openapi")}. A service that names it has its request proven by
# `gateway check`: targets: [{name}].
adapter: {adapter}
department: {department}  # DECIDE: whose system it is
{chr(10).join(lines)}
request: request.yaml
# references: {{aktenzeichen: "$.Aktenzeichen"}}  # DECIDE: where the answer carries what the department calls it
# key: "{example}"  # DECIDE: where the idempotency key goes, so that a repeat is recognised
repeatable: false  # DECIDE: may the same request be sent twice?
# probe:  # DECIDE: how to ask whether a key arrived
# auth, tls: see the page on the package format
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What was drafted, for the README. fields: how many are read. samples: their names."""

    schema: str
    fields: int
    parties: int
    target: str
    samples: Sequence[str]


def readme(title: str, found: Found, fim: DataSchema | None) -> str:
    samples = ", ".join(f"`samples/{name}`" for name in found.samples) or "none could be made: write one by hand"
    parts = [
        f"# {title}\n",
        f"Drafted from `{found.schema}`: {found.fields} fields are read, {found.parties} people and organisations "
        f"recognised. Samples: {samples}. All data in them is invented.\n",
        _QUESTIONS,
        *([_rules(fim)] if fim is not None and fim.rules else []),
    ]
    return "\n".join(parts)


_QUESTIONS = """\
## Open questions

For `service.yaml`; strike out what is decided.

- [ ] **`identifiers`**: under which URN do portals send it (Leistungsschlüssel of the LeiKa,
      `urn:de:fim:leika:leistung:…`)?
- [ ] **`department`**: which office (Amt) owns it? Only its people see the cases.
- [ ] **`on_invalid`**: what happens to a message that breaks its schema? `reject`: the portal learns it at once and the
      applicant mends it. `clarify`: accepted, a person decides (Klärfall). Where a time limit runs, nobody may lose it
      because of a form (§ 24 Abs. 3 VwVfG, § 20 Abs. 3 SGB X).
- [ ] **`requires`**: which level of trust (Vertrauensniveau) must the sign-in have, and does payment come first?
- [ ] **`law`**: administrative procedure (`vwvfg`), tax (`ao`), social (`sgb`) or election law (`wahlrecht`);
      which secrecy (Steuergeheimnis, Sozialgeheimnis)?
- [ ] **`transport_within`, `statutory`**: how soon must it be there (our promise), and how long may the decision take
      (Bearbeitungsfrist, Genehmigungsfiktion)? From receipt or from when it is complete?
- [ ] **`keep`**: how long does content stay here after delivery (Löschfrist)? The department's own records are
      another matter.
- [ ] **`attachments`**: what may be attached, how large, how many?

For `mapping.yaml`:

- [ ] Are the people the right ones? The roles were guessed from names.
- [ ] Which fields does the department need? Leave out the others (Datenminimierung): `gateway check --table` shows who
      gets what.
- [ ] Which of them can it not do without? `required: true`, and the message waits for a person if they are empty.
- [ ] Codes: does the department speak the same? `codes`, `codelist`.
"""


def _rules(fim: DataSchema) -> str:
    lines = [f"- [ ] **{rule.id}** {' '.join(rule.name.split())}: {' '.join(rule.text.split())}" for rule in fim.rules]
    return (
        "## Rules of the data schema\n\nTheir editors wrote them for people (Regeln); no schema checks them. Which "
        "ones shall the gateway check? Those go into `rules.yaml`, each with `covers: [R…]`.\n\n"
        + "\n".join(lines)
        + "\n"
    )
