"""``--write-interop-wide``: write docs/interop-wide.md from what passed in this run, if nothing failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.matrix.conftest import Matrix
from tests.support.command import ROOT
from tests.support.matrix import Files, table
from tests.support.wide import PAGE

TABLE = ROOT / "docs" / "interop-wide.md"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-interop-wide", action="store_true", help="write docs/interop-wide.md from this run"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    writing = config.getoption("--write-interop-wide", default=False)
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.matrix)
            item.add_marker(pytest.mark.wide)
            if item.get_closest_marker("by_hand") and not writing:
                item.add_marker(
                    pytest.mark.skip("tried by hand: tox -e interop-wide -- --write-interop-wide")
                )


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("pem")).write()


@pytest.fixture(scope="session")
def matrix(files: Files, request: pytest.FixtureRequest) -> Iterator[Matrix]:
    made = Matrix(files)
    yield made
    if request.config.getoption("--write-interop-wide", default=False) and request.session.testsfailed == 0:
        TABLE.write_text(table(made.versions, made.outcome, PAGE))
