"""Both distributions of a release, made and checked; nothing is uploaded, and nothing is committed.

    python -m tools.release 0.2.0

The version goes where it stands, the fragments of ``changes/`` into the changelog under it, with the day; then both
distributions are built from the files that git knows, each wheel from the unpacked source distribution, and what they
hold and say of themselves is checked.  All of that happens in a copy: only when everything is right are the checkout
changed and the files put into ``dist/``.  Needs setuptools.
"""

from __future__ import annotations

import argparse
import datetime
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from attrs import frozen

from tools import changelog

ROOT: Final = Path(__file__).parent.parent
VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
URLS: Final = "Project-URL"
"""The field of the metadata (Core metadata specifications)."""

BUILD: Final = "import sys; from setuptools import build_meta; print(build_meta.{}(sys.argv[1]))"
BELONG: Final = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "PKG-INFO", "MANIFEST.in")
"""What a source distribution has besides its packages."""
ALSO: Final = ("CHANGELOG.md", "SECURITY.md")


class ReleaseError(Exception):
    """A release cannot be made so; the text says why."""


@frozen
class Distribution:
    """One of the two: its folder below the root, and its package there."""

    name: str
    folder: str
    package: str

    def source(self, root: Path) -> Path:
        return root / self.folder


DISTRIBUTIONS: Final = (
    Distribution("sansticket", ".", "sansticket"),
    Distribution("sansticket-wrappers", "wrappers", "sansticket_wrappers"),
)


# --- the version -----------------------------------------------------------------------------------------------------


def version_of(root: Path) -> str:
    return _numbers(root / "sansticket/__init__.py", r'^__version__ = "(.*)"$')


def set_version(root: Path, version: str, day: str) -> None:
    """Wherever it stands, and as the heading of the unreleased section of the changelog, with the fragments in it."""
    _replace(root / "sansticket/__init__.py", r'^(__version__ = ").*(")$', version)
    _replace(root / "wrappers/sansticket_wrappers/__init__.py", r'^(__version__: Final = ").*(")$', version)
    _replace(root / "wrappers/setup.cfg", r"^(    sansticket == ).*()$", version)
    changelog.write(root)
    _replace(root / "CHANGELOG.md", r"^(## ).* \(unreleased(\))$", f"{version} ({day}")


def _numbers(path: Path, pattern: str) -> str:
    found = re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if len(found) != 1:
        raise ReleaseError(f"{path.name} has {len(found)} lines like {pattern}; expected one")
    return str(found[0])


def _replace(path: Path, pattern: str, value: str) -> None:
    text, number = re.subn(
        pattern,
        lambda found: f"{found[1]}{value}{found[2]}",
        path.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    if number != 1:
        raise ReleaseError(f"{path.name} has {number} lines like {pattern}; expected one")
    path.write_text(text, encoding="utf-8")


def refuse(root: Path, version: str) -> None:
    """ReleaseError for a version that cannot come next, or a checkout with something in it that is not committed."""
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version}: expected three numbers, such as 0.2.0")
    if _parts(version) < _parts(version_of(root)):
        raise ReleaseError(f"{version} comes before {version_of(root)}")
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if f"## {version} (" in text and f"## {version}{changelog.UNRELEASED}" not in text:
        raise ReleaseError(f"{version} was released already")
    if changelog.UNRELEASED not in text and not changelog.fragments(root):
        raise ReleaseError(
            "nothing has changed: the changelog has no unreleased section, and there are no fragments"
        )
    if changed := _git(root, "status", "--porcelain"):
        raise ReleaseError(f"not committed: {changed.splitlines()[0].strip()}")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


# --- both distributions ----------------------------------------------------------------------------------------------


def copy_tracked(root: Path, to: Path) -> None:
    """The files that git knows, as they are now."""
    for name in _git(root, "ls-files", "-z").split("\0"):
        if name and (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)


def build(source: Path, out: Path) -> tuple[Path, Path]:
    """(source distribution, wheel); the wheel is made of what the other one holds."""
    sdist = out / _run_build(source, "build_sdist", out)
    with tempfile.TemporaryDirectory() as unpacked, tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
        (folder,) = Path(unpacked).iterdir()
        return sdist, out / _run_build(folder, "build_wheel", out)


def _run_build(source: Path, hook: str, out: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(hook), str(out)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"{hook} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout.splitlines()[-1]


def complaints(one: Distribution, version: str, sdist: Path, wheel: Path, root: Path) -> Iterator[str]:
    """What is wrong with the files of a distribution; ``root`` is what they were made of."""
    source = one.source(root)
    package = {
        path.relative_to(source).as_posix() for path in (source / one.package).rglob("*") if path.is_file()
    }
    package = {name for name in package if "__pycache__" not in name}
    stem = f"{one.name.replace('-', '_')}-{version}"
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"{stem}.dist-info/METADATA").decode()
    info = {name for name in names if name.startswith(f"{stem}.dist-info/")}
    yield from _differences(wheel.name, names - info, package)
    if not any(name.endswith("/LICENSE") for name in info):
        yield f"{wheel.name} has no LICENSE"
    with tarfile.open(sdist) as archive_:
        files = {member.name.partition("/")[2] for member in archive_.getmembers() if member.isfile()}
    beside = {name for name in files if name in BELONG or name in ALSO or ".egg-info/" in name}
    yield from _differences(sdist.name, files - beside, package)
    if f"{one.package}/py.typed" not in names & files:
        yield f"{one.name} is not marked as typed"
    yield from _wrong_metadata(one, version, metadata)


def _differences(name: str, there: set[str], expected: set[str]) -> Iterator[str]:
    yield from (f"{name} lacks {file}" for file in sorted(expected - there))
    yield from (f"{name} has {file}, which is not of the package" for file in sorted(there - expected))


def _wrong_metadata(one: Distribution, version: str, metadata: str) -> Iterator[str]:
    message = Parser().parsestr(metadata)
    for field, expected in (
        ("Name", one.name),
        ("Version", version),
        ("Requires-Python", ">=3.11"),
        ("Description-Content-Type", "text/markdown"),
    ):
        if message[field] != expected:
            yield f"{one.name}: {field} is {message[field]}; expected {expected}"
    if "MIT" not in (message["License-Expression"], message["License"]):
        yield f"{one.name}: no license is named"
    required = {
        re.split(r"[^\w.-]", line)[0] for line in message.get_all("Requires-Dist", []) if ";" not in line
    }
    expected_names = {"attrs", "cryptography"} if one.folder == "." else {"attrs", "sansticket"}
    if required != expected_names:
        yield f"{one.name} requires {sorted(required)}; expected {sorted(expected_names)}"
    if "Typing :: Typed" not in message.get_all("Classifier", []):
        yield f"{one.name}: the classifier Typing :: Typed is missing"
    if not str(message.get_payload()).startswith(f"# {one.name}\n"):
        yield f"{one.name}: the description is not the README"


def _does_not_run(one: Distribution, version: str, wheel: Path) -> Iterator[str]:
    """The package out of the wheel alone says its version."""
    if one.folder != ".":
        return  # it needs the other one installed
    program = f"import sys; sys.path.insert(0, {str(wheel)!r}); import {one.package}; print({one.package}.__version__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    if done.stdout.strip() != version:
        yield f"{wheel.name} cannot be imported: {(done.stderr or done.stdout).strip()[-300:]}"


# --- the command -----------------------------------------------------------------------------------------------------


def release(root: Path, version: str, day: str) -> list[Path]:
    """The four files, in ``dist/`` of the checkout, which has the version and the changelog of the release then."""
    refuse(root, version)
    with tempfile.TemporaryDirectory() as folder:
        copy, out = Path(folder, "copy"), Path(folder, "out")
        copy_tracked(root, copy)
        out.mkdir()
        set_version(copy, version, day)
        wrong = [line for one in DISTRIBUTIONS for line in _made(one, version, copy, out)]
        if wrong:
            raise ReleaseError("\n".join(wrong))
        set_version(root, version, day)
        (root / "dist").mkdir(exist_ok=True)
        return sorted(Path(shutil.copy2(path, root / "dist")) for path in out.iterdir())


def _made(one: Distribution, version: str, copy: Path, out: Path) -> Iterator[str]:
    sdist, wheel = build(one.source(copy), out)
    yield from complaints(one, version, sdist, wheel, copy)
    yield from _does_not_run(one, version, wheel)


def without_urls(files: Sequence[Path]) -> list[str]:
    """The wheels that name no place where their project is."""
    return [path.name for path in files if path.suffix == ".whl" and URLS not in _metadata(path)]


def _metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def left_to_do(version: str, nowhere: Sequence[str]) -> str:
    """What the command leaves to people; no upload of what names no place."""
    if nowhere:
        names = "\n    ".join(nowhere)
        upload = f"""
NOT TO BE UPLOADED as they are: no project URL is in
    {names}
so nobody who has them finds the source, the changelog, or whom to tell of a hole. Put project_urls under
[metadata] of setup.cfg and wrappers/setup.cfg first (CONTRIBUTING.md, "How to make a release"), and begin again."""
    else:
        upload = f"    python -m twine upload dist/*{version}*"
    return f"""
Look at them and at `git diff`, and then:
    git commit -am "Version {version}" && git tag {version}
{upload}"""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.release",
        description="Both distributions of a release, made and checked; nothing is uploaded.",
    )
    parser.add_argument("version", metavar="VERSION", help="three numbers, such as 0.2.0")
    options = parser.parse_args(arguments)
    try:
        files = release(root, options.version, datetime.date.today().isoformat())
    except (ReleaseError, changelog.BadFragment) as error:
        print(error)
        return 1
    print(*files, sep="\n")
    print(left_to_do(options.version, without_urls(files)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
