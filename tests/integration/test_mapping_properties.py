"""Whatever a schema allows: a mapping makes a case that keeps its schema, or says what is wrong. It never raises.

Messages are made around the smallest that is valid: hypothesis chooses what else is there, how often, with which
values. The short form runs always, the long one in `make test-long`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jsonschema_rs
import pytest
from checking_support import checker_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.case import case_schema
from gateway.packages.ground import Ground, grounds
from gateway.packages.samples import sample_envelope
from gateway.services import Packages, Service, applies, map_case, map_request, shipped_folder
from xoev_schemas.documents import parse
from xoev_schemas.fim.examples import NoExample
from xoev_schemas.findings import has_errors
from xoev_schemas.planned import Edit, Plan, position_at
from xoev_schemas.registry import Registry

SERVICES = shipped_folder() / "services"
OWN = sorted(path.parent.name for path in SERVICES.glob("*/schema"))
FOREIGN = {
    "bauantrag": ["xoev/xbau-2.6"],
    "kindertagespflege": [
        "fim/generated/xsd/S05000001299V1.0.0.xfall.xsd",
        "fim/generated/json-schema/S05000001299V1.0.0.schema.json",
    ],
}
FORMS = ("application/xml", "application/json")
PUBLISHED = [(name, form) for name in FOREIGN for form in FORMS if (name, form) != ("bauantrag", FORMS[1])]
MOST_EDITS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registries")


@cache
def packages_with(folder: Path, service: str, sources: Sequence[Path]) -> Packages:
    registry = Registry(folder / service)
    for source in sources:
        registry.import_path(source)
    return Packages.load([shipped_folder()], registry, only=[service])


def ground_of(packages: Packages, service: Service, form: str) -> Ground:
    assert packages.registry is not None
    checker = checker_of(packages.registry)
    return next(one for a in service.accepts for one in grounds(service, a, checker) if one.media_type == form)


def edits(ground: Ground) -> st.SearchStrategy[Plan]:
    """Places that the mapping looks at: there, several times, with a value at the edge or any text at all."""
    places = st.sampled_from(list(ground.looked_at))

    def edit(place: tuple[str, ...]) -> st.SearchStrategy[Edit]:
        position = position_at(ground.root, place)
        assert position is not None
        element = position.element
        known = element.extremes()
        texts = st.text(min_size=1, max_size=30) | (st.sampled_from(known) if known else st.nothing())
        taken = st.none() | texts.filter(element.takes)
        return st.builds(Edit, st.just(place), taken, st.integers(1, 4))

    return st.lists(places.flatmap(edit), max_size=MOST_EDITS).map(tuple)


def hold(packages: Packages, name: str, form: str, examples: int) -> None:
    service = packages.services[name]
    ground = ground_of(packages, service, form)
    validator = jsonschema_rs.validator_for(dict(case_schema()), validate_formats=True)
    ref = ground.accepts.ref
    assert ref is not None

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(plan=edits(ground))
    def keeps_its_word(plan: Plan) -> None:
        try:
            data = ground.message(plan)
        except (NoExample, ValueError):  # ValueError: no XML can hold this text
            assume(False)
        document = parse(data, form)
        assert packages.registry is not None
        assert packages.registry.validate(document, ref).valid
        made = map_case(service, ground.accepts, document, sample_envelope(service, ref))
        if made.value is None:
            assert has_errors(made.findings)
            return
        assert validator.is_valid(made.value)
        assert service.data_validator is None or service.data_validator.is_valid(made.value.get("data", {}))
        for target in (packages.targets[one] for one in service.targets):
            if target.request_for(name) is not None and applies(target, made.value):
                request = map_request(target, name, made.value)
                assert (request.value is None) == has_errors(request.findings)

    keeps_its_word()


def own(folder: Path, name: str) -> Packages:
    return packages_with(folder, name, (SERVICES / name / "schema",))


def foreign(folder: Path, test_data: Path, name: str) -> Packages:
    return packages_with(folder, name, tuple(test_data / source for source in FOREIGN[name]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OWN)
def test_whatever_the_schema_of_a_form_allows_makes_a_case_or_a_finding(folder: Path, name: str, form: str) -> None:
    hold(own(folder, name), name, form, 40)


@pytest.mark.parametrize(("name", "form"), PUBLISHED)
def test_whatever_a_published_standard_allows_makes_a_case_or_a_finding(
    folder: Path, test_data: Path, name: str, form: str
) -> None:
    hold(foreign(folder, test_data, name), name, form, 20)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("name", "form"), [*((name, form) for name in OWN for form in FORMS), *PUBLISHED])
def test_thousands_of_messages_make_a_case_or_a_finding(folder: Path, test_data: Path, name: str, form: str) -> None:
    hold(own(folder, name) if name in OWN else foreign(folder, test_data, name), name, form, 1_000)
