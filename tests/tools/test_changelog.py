"""The changelog is put together from its fragments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.changelog import ROOT, fragments, item, main

CHANGELOG = "# Changelog\n\n## 0.2.0 (unreleased)\n\n- One.\n\n## 0.1.0\n\n- Old.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    changes = tmp_path / "changes"
    changes.mkdir()
    (changes / "README.md").write_text("how it is done")
    (changes / "b.md").write_text("- Three,\n  in two lines.\n")
    (changes / "a.md").write_text("- Two.")
    return tmp_path


def test_fragments_go_to_the_end_of_the_unreleased_section(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--write"], project) == 0
    assert capsys.readouterr().out == "- Two.\n- Three,\n  in two lines.\n"
    expected = CHANGELOG.replace("- One.\n", "- One.\n- Two.\n- Three,\n  in two lines.\n")
    assert (project / "CHANGELOG.md").read_text() == expected
    assert [path.name for path in (project / "changes").iterdir()] == ["README.md"]
    assert main(["--write"], project) == 0
    assert (project / "CHANGELOG.md").read_text() == expected


def test_a_changelog_of_one_section(project: Path) -> None:
    (project / "CHANGELOG.md").write_text("# Changelog\n\n## 0.1.0 (unreleased)\n\n- One.\n")
    assert main(["--write"], project) == 0
    assert (project / "CHANGELOG.md").read_text().endswith("\n\n- One.\n- Two.\n- Three,\n  in two lines.\n")


def test_after_a_release_another_section_begins(project: Path) -> None:
    """What was released says what was in it, and nothing that came later."""
    released = CHANGELOG.replace("(unreleased)", "(2030-01-02)")
    (project / "CHANGELOG.md").write_text(released)
    assert main(["--write"], project) == 0
    section = "## Next (unreleased)\n\n- Two.\n- Three,\n  in two lines.\n\n"
    expected = released.replace("## 0.2.0", f"{section}## 0.2.0")
    assert (project / "CHANGELOG.md").read_text() == expected
    (project / "changes/d.md").write_text("- Four.")
    assert main(["--write"], project) == 0
    assert (project / "CHANGELOG.md").read_text() == expected.replace("lines.\n\n", "lines.\n- Four.\n\n")


def test_without_fragments_nothing_begins(project: Path) -> None:
    released = CHANGELOG.replace("(unreleased)", "(2030-01-02)")
    (project / "CHANGELOG.md").write_text(released)
    for path in fragments(project):
        path.unlink()
    assert main(["--write"], project) == 0
    assert (project / "CHANGELOG.md").read_text() == released


def test_nothing_is_written_unless_it_is_asked_for(project: Path) -> None:
    assert main([], project) == 0
    assert (project / "CHANGELOG.md").read_text() == CHANGELOG
    assert len(fragments(project)) == 2


@pytest.mark.parametrize("text", ["Two.", "* Two.", "- Two.\nThree.", ""])
def test_what_is_no_list_item_is_refused(
    project: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "changes/c.md").write_text(text)
    assert main(["--write"], project) == 1
    assert "c.md: list items are expected" in capsys.readouterr().out
    assert (project / "CHANGELOG.md").read_text() == CHANGELOG
    assert len(fragments(project)) == 3


def test_the_fragments_that_there_are() -> None:
    assert all(item(path) for path in fragments(ROOT))
