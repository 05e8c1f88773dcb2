"""What scenarios share: the standards of the shipped services, imported once, and the two shapes of an installation."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from city import Shape

from gateway.demo import servers
from gateway.demo.servers import RabbitNode
from xoev_schemas.registry import Registry

STANDARDS = (
    "xoev/xbau-2.6",
    *(
        f"fim/generated/{form}"
        for schema in (
            "S07000000248V1.2.0",
            "S00000000362V1.0.0",
            "S00000000364V1.0.0",
            "S00000000374V1.0.0",
            "S00000000377V1.0.0",
            "S00000000380V1.0.0",
            "S05000001162V3.3.0",
            "S05000001299V1.0.0",
        )
        for form in (f"xsd/{schema}.xfall.xsd", f"json-schema/{schema}.schema.json")
    ),
)


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Path:
    """A `schemas` folder with the standards of all services; to be copied."""
    folder = tmp_path_factory.mktemp("standards") / "schemas"
    registry = Registry(folder)
    for standard in STANDARDS:
        registry.import_path(test_data / standard)
    return folder


@pytest.fixture
def home_with_standards(tmp_path: Path, schemas: Path) -> Path:
    """A home in which every standard is installed."""
    shutil.copytree(schemas, tmp_path / "home" / "schemas")
    return tmp_path / "home"


BOTH = [
    pytest.param("embedded"),
    pytest.param("production", marks=(pytest.mark.rabbitmq, pytest.mark.postgres)),
]


@pytest.fixture(scope="module", params=BOTH)
def shape(request: pytest.FixtureRequest) -> Iterator[Shape]:
    """Both shapes, one after the other; RabbitMQ and PostgreSQL with a virtual host and a database of the module's
    own.
    """
    if request.param == "embedded":
        yield Shape()
        return
    node: RabbitNode = request.getfixturevalue("rabbitmq_node")
    node.start()
    url: str = request.getfixturevalue("postgres_url")
    name = f"test_{uuid.uuid4().hex[:12]}"
    servers.create_database(url, name)
    yield Shape(urlunsplit(urlsplit(url)._replace(path=f"/{name}")), node.create_vhost(name))
    servers.drop_database(url, name)
