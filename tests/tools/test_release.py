"""A release: both distributions are made of what git knows, checked, and left in dist/."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest
from attrs import frozen

from tools import release
from tools.changelog import SECTION, UNRELEASED
from tools.release import DISTRIBUTIONS, ReleaseError

NEEDED = ("sansticket", "wrappers", "changes", "setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE")
PAGES = ("README.md", "CHANGELOG.md", "SECURITY.md")
VERSION = "7.8.9"


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    command = ["git", "-C", str(root), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@frozen
class Made:
    root: Path
    files: list[Path]
    before: str

    def of(self, folder: str) -> tuple[Path, Path]:
        """(source distribution, wheel) of the distribution in that folder."""
        stem = "sansticket-7" if folder == "." else "sansticket_wrappers-7"
        sdist, wheel = sorted(
            (path for path in self.files if path.name.startswith(stem)), key=lambda one: one.suffix
        )
        return sdist, wheel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The release of a copy of this checkout, with a test among its files and another that git does not know."""
    root = tmp_path_factory.mktemp("project")
    for name in NEEDED:
        copy = shutil.copytree if (release.ROOT / name).is_dir() else shutil.copy
        copy(release.ROOT / name, root / name)  # type: ignore[operator]  # either takes two paths
    for name in PAGES:
        shutil.copy(release.ROOT / name, root / name)
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## 7.0.0 (unreleased)\n\n- Old.\n")
    (root / "changes/one.md").write_text("- A change.\n")
    (root / "tests").mkdir()
    (root / "tests/test_one.py").write_text("")
    (root / ".gitignore").write_text("__pycache__/\n*.egg-info/\nbuild/\n/dist/\nleft.py\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    (root / "sansticket/left.py").write_text("")
    before = git(root, "rev-parse", "HEAD")
    return Made(root, release.release(root, VERSION, "2030-01-02"), before)


def test_there_are_four_files_in_dist(made: Made) -> None:
    assert [path.name for path in made.files] == [
        "sansticket-7.8.9-py3-none-any.whl",
        "sansticket-7.8.9.tar.gz",
        "sansticket_wrappers-7.8.9-py3-none-any.whl",
        "sansticket_wrappers-7.8.9.tar.gz",
    ]
    assert {path.parent for path in made.files} == {made.root / "dist"}


def test_nothing_is_committed(made: Made) -> None:
    assert git(made.root, "rev-parse", "HEAD") == made.before
    assert git(made.root, "tag") == ""


def test_version_and_changelog_are_changed(made: Made) -> None:
    assert release.version_of(made.root) == VERSION
    assert f"    sansticket == {VERSION}\n" in (made.root / "wrappers/setup.cfg").read_text()
    assert f'"{VERSION}"' in (made.root / "wrappers/sansticket_wrappers/__init__.py").read_text()
    changelog = (made.root / "CHANGELOG.md").read_text()
    assert changelog.startswith("# Changelog\n\n## 7.8.9 (2030-01-02)\n\n- Old.\n")
    assert "- A change.\n" in changelog
    assert [path.name for path in (made.root / "changes").glob("*.md")] == ["README.md"]


def test_no_tests_and_nothing_unknown_is_shipped(made: Made) -> None:
    sdist, wheel = made.of(".")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    with tarfile.open(sdist) as archive_:
        names += archive_.getnames()
    assert [name for name in names if "test_" in name or "left" in name] == []
    assert "sansticket/py.typed" in names
    assert f"sansticket-{VERSION}/sansticket/py.typed" in names


@pytest.mark.parametrize("one", DISTRIBUTIONS, ids=lambda one: one.name)
def test_what_is_wrong_with_a_wheel_is_said(one: release.Distribution, made: Made, tmp_path: Path) -> None:
    sdist, wheel = made.of(one.folder)
    shutil.copytree(made.root, tmp_path / "root", ignore=shutil.ignore_patterns("left.py", ".git"))
    root = tmp_path / "root"
    assert list(release.complaints(one, VERSION, sdist, wheel, root)) == []
    bad = tmp_path / wheel.name
    with ZipFile(wheel) as archive, ZipFile(bad, "w") as other:
        for name in archive.namelist():
            if not name.endswith(("py.typed", "/LICENSE")):
                content = archive.read(name)
                if name.endswith("METADATA"):
                    content = content.replace(b"Typing :: Typed", b"Natural Language :: English")
                    content = content.replace(b"Requires-Dist: attrs", b"Requires-Dist: other")
                other.writestr(name, content)
        other.writestr("tests/test_one.py", "")
    said = "\n".join(release.complaints(one, VERSION, sdist, bad, root))
    for words in (
        f"lacks {one.package}/py.typed",
        "has tests/test_one.py, which is not of the package",
        "has no LICENSE",
        "is not marked as typed",
        "the classifier Typing :: Typed is missing",
        "requires ['",
    ):
        assert words in said
    assert "Version is 7.8.9; expected 1.0.0" in "\n".join(
        release._wrong_metadata(one, "1.0.0", metadata(wheel))
    )


def metadata(wheel: Path) -> str:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        return archive.read(name).decode()


def test_a_wheel_that_cannot_be_imported(made: Made, tmp_path: Path) -> None:
    bad = tmp_path / "bad.whl"
    with ZipFile(bad, "w") as archive:
        archive.writestr("sansticket/__init__.py", "raise RuntimeError('broken')")
    assert "broken" in "".join(release._does_not_run(DISTRIBUTIONS[0], VERSION, bad))


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("8", "expected three numbers"),
        ("1.0.0", "comes before 7.8.9"),
        (VERSION, "was released already"),
        ("8.0.0", "nothing has changed"),
    ],
)
def test_versions_that_cannot_be(
    version: str, said: str, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    """The changelog of the project has no section that is unreleased, and no fragments, once it is released."""
    assert release.main([version], made.root) == 1
    assert said in capsys.readouterr().out


def test_the_next_release_has_a_section_of_its_own(made: Made, tmp_path: Path) -> None:
    """With what came after the one before, in fragments alone."""
    for name in ("sansticket/__init__.py", "wrappers/setup.cfg", "wrappers/sansticket_wrappers/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made.root / name, tmp_path / name)
    shutil.copy(made.root / "CHANGELOG.md", tmp_path / "CHANGELOG.md")
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes/two.md").write_text("- Another change.\n")
    before = (tmp_path / "CHANGELOG.md").read_text()
    release.set_version(tmp_path, "8.0.0", "2030-02-03")
    section = "## 8.0.0 (2030-02-03)\n\n- Another change.\n\n"
    assert (tmp_path / "CHANGELOG.md").read_text() == before.replace("## 7.8.9", f"{section}## 7.8.9")


def test_what_names_no_place_is_not_uploaded(made: Made) -> None:
    """This checkout names none; what it would say if it did is read from a wheel that was changed."""
    wheels = [made.of(one.folder)[1] for one in DISTRIBUTIONS]
    nowhere = release.without_urls(made.files)
    assert nowhere == [wheel.name for wheel in wheels]
    said = release.left_to_do(VERSION, nowhere)
    assert "NOT TO BE UPLOADED" in said
    assert all(wheel.name in said for wheel in wheels)
    assert "twine" not in said


def test_what_names_a_place_can_be_uploaded(made: Made, tmp_path: Path) -> None:
    wheel = tmp_path / made.of(".")[1].name
    with ZipFile(made.of(".")[1]) as archive, ZipFile(wheel, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("METADATA"):
                content = content.replace(b"Name:", b"Project-URL: Source, https://project.example\nName:", 1)
            other.writestr(name, content)
    assert release.without_urls([wheel]) == []
    assert f"python -m twine upload dist/*{VERSION}*" in release.left_to_do(VERSION, [])


def test_a_checkout_with_changes_is_refused(made: Made) -> None:
    kept = (made.root / "CHANGELOG.md").read_text()
    (made.root / "CHANGELOG.md").write_text("# Changelog\n\n## 9.0.0 (unreleased)\n")
    with pytest.raises(ReleaseError, match="not committed"):
        release.refuse(made.root, "9.0.0")
    (made.root / "CHANGELOG.md").write_text(kept)


def test_this_checkout_has_one_version() -> None:
    version = release.version_of(release.ROOT)
    assert f"    sansticket == {version}\n" in (release.ROOT / "wrappers/setup.cfg").read_text()
    assert f'"{version}"' in (release.ROOT / "wrappers/sansticket_wrappers/__init__.py").read_text()
    newest = SECTION.findall((release.ROOT / "CHANGELOG.md").read_text())[0]
    assert newest.startswith(f"## {version} (") or newest.endswith(UNRELEASED)
