"""The structure of messages, for checking mappings without a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xoev_schemas.model import json_model
from xoev_schemas.registry import Registry, SchemaRef


def ref(registry: Registry, name: str) -> SchemaRef:
    found = registry.find(name)
    assert found
    return found


def test_a_message_tells_its_members_with_how_often_they_occur(registry: Registry) -> None:
    model = registry.model(ref(registry, "urn:muster#antrag.neu.0001"))

    members = model.children(())

    assert members
    assert {name: (node.min, node.max, node.kind) for name, node in members.items()} == {
        "@test": (0, 1, "leaf"),
        "name": (1, 1, "leaf"),
        "geburt": (1, 1, "leaf"),
        "art": (0, 1, "leaf"),
        "anlage": (0, None, "group"),
        "ja": (0, 1, "leaf"),
        "nein": (0, 1, "leaf"),
        "kopf": (0, 1, "leaf"),
    }
    assert members["art"].allowed == ("1", "2")
    assert members["geburt"].type == "date"
    assert set(model.children(("anlage",)) or ()) == {"@nr", "datei"}


def test_a_path_that_cannot_exist_has_no_members_and_a_leaf_has_none(registry: Registry) -> None:
    model = registry.model(ref(registry, "urn:muster#antrag.neu.0001"))

    assert model.children(("nothing",)) is None
    assert model.children(("name", "nothing")) is None
    assert model.children(("name",)) == {}
    assert model.node(("anlage", "datei")) is not None
    assert model.node(("anlage", "nothing")) is None


def test_a_recursive_type_does_no_harm(registry: Registry) -> None:
    model = registry.model(ref(registry, "urn:muster#antrag.zurueck.0002"))

    assert set(model.children(("ast",) * 30) or ()) == {"ast"}
    assert model.children(("ast",) * 5_000) is None


def test_fim_names_count_with_and_without_their_version(registry: Registry) -> None:
    model = registry.model(ref(registry, "fim:S99000000001V1.0.0"))

    assert set(model.children(()) or ()) == {"F60000000242"}
    assert model.node(("F60000000242",)) is not None
    assert model.node(("F60000000242V1.0.0",)) == model.node(("F60000000242",))


def test_a_standard_with_several_messages_needs_the_name_of_one(registry: Registry) -> None:
    with pytest.raises(ValueError, match="#message"):
        registry.model(ref(registry, "urn:muster"))


def test_xml_and_json_of_a_fim_schema_have_one_structure(real: Registry, test_data: Path) -> None:
    # Given a schema with groups, lists and code lists, whose model comes from its XSD
    from_xsd = real.model(ref(real, "fim:S07000000248V1.2.0"))

    # When the model of its JSON Schema is walked beside it
    schema = (test_data / "fim/generated/json-schema/S07000000248V1.2.0.schema.json").read_bytes()
    from_json = json_model(json.loads(schema))
    differences, pending, seen = [], [()], 0
    while pending:
        path = pending.pop()
        one, other = from_xsd.children(path) or {}, from_json.children(path) or {}
        seen += len(one)
        # Labels are forbidden in XML (maxOccurs 0), and free in JSON
        if missing := set(one) - set(other):
            differences.append((path, missing))
        pending += [(*path, child) for child, node in one.items() if node.kind == "group"]

    # Then all that XML has, JSON has
    assert differences == []
    assert seen > 30


def test_xbau_is_modelled_down_to_a_code(real: Registry) -> None:
    model = real.model(ref(real, "xoev:xbau/2.6#baugenehmigung.antrag.0200"))

    code = model.node(("bauvorhaben", "gegenstand", "artDerMassnahme", "code"))

    assert code
    assert code.allowed == ("10", "11", "12", "13", "14", "20", "30")
