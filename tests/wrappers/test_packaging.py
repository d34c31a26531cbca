"""The two distributions of this repository fit together."""

import configparser
from pathlib import Path

import sansticket
import sansticket_wrappers
from tests.support.command import ROOT

WRAPPERS = ROOT / "wrappers"


def metadata(folder: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read(folder / "setup.cfg")
    return parser


def requirements(text: str) -> dict[str, str]:
    """The conditions of each requirement, by its name without extras."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    parts = [line.partition(" ") for line in lines]
    return {name.partition("[")[0]: condition for name, _, condition in parts}


def test_the_versions_are_the_same() -> None:
    assert sansticket_wrappers.__version__ == sansticket.__version__
    required = requirements(metadata(WRAPPERS)["options"]["install_requires"])
    assert required["sansticket"] == f"== {sansticket.__version__}"


def test_what_both_need_is_the_same() -> None:
    ours, theirs = metadata(WRAPPERS)["options"], metadata(ROOT)["options"]
    assert ours["python_requires"] == theirs["python_requires"]
    required = requirements(theirs["install_requires"])
    for name, condition in requirements(ours["install_requires"]).items():
        assert name == "sansticket" or required[name] == condition


def test_the_tests_run_with_what_the_extras_promise() -> None:
    extras = metadata(WRAPPERS)["options.extras_require"]
    assert set(extras) == {"opentelemetry", "prometheus", "redis", "requests", "trio", "twisted"}
    tested = requirements(metadata(ROOT)["options.extras_require"]["frameworks"])
    for text in extras.values():
        for name, condition in requirements(text).items():
            assert tested[name] == condition


def test_the_wrappers_are_marked_as_typed() -> None:
    assert (WRAPPERS / "sansticket_wrappers/py.typed").is_file()
    assert metadata(WRAPPERS)["options.package_data"]["sansticket_wrappers"] == "py.typed"


def test_every_folder_is_a_package_that_is_shipped() -> None:
    folders = {path.parent for path in (WRAPPERS / "sansticket_wrappers").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_licence_is_the_same() -> None:
    assert (WRAPPERS / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_no_module_is_long() -> None:
    lengths = {
        path: len(path.read_text().splitlines()) for path in (WRAPPERS / "sansticket_wrappers").rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > 450} == {}
