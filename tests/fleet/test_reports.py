"""Tables, JSON and plots."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET

import pytest

from sansticket import ConfigError
from sansticket.fleet import Column, Curve, Picture, PlotError, Report, Size, Table, plots, svg

SENTENCE = "A note that is longer than a line is wrapped."

REPORT = Report(
    scenario="a-scenario",
    title="what then?",
    size=Size(clients=1000, hours=2, servers=3),
    tables=(
        Table(
            "Figures",
            (Column("case", ""), Column("visits"), Column("share", ".1%"), Column("why", "")),
            (("one", 12345, 0.5, "because 3"), ("another", 1, None, "")),
        ),
    ),
    picture=Picture(
        x="hours", y="share", curves=(Curve("one", ((0.5, 0.25), (1.5, 1.0))), Curve("none", ()))
    ),
    notes=(" ".join([SENTENCE] * 4),),
)


def test_the_table() -> None:
    assert REPORT.text().splitlines() == [
        "a-scenario: what then?",
        "1,000 clients, 3 servers, 2 hours, seed 1",
        "",
        "Figures",
        "  case     visits  share  why",
        "  one      12,345  50.0%  because 3",
        "  another       1      -",
        "",
        f"* {SENTENCE} {SENTENCE} {SENTENCE[:26]}",
        f"  {SENTENCE[27:]} {SENTENCE}",
    ]


def test_json_has_all_of_it() -> None:
    read = json.loads(REPORT.to_json())
    assert read["size"] == {"clients": 1000, "hours": 2, "servers": 3, "seed": 1}
    assert read["tables"]["Figures"][1] == {"case": "another", "visits": 1, "share": None, "why": ""}
    assert read["picture"]["curves"][0] == {"title": "one", "points": [[0.5, 0.25], [1.5, 1.0]]}
    assert (read["scenario"], read["title"], len(read["notes"])) == ("a-scenario", "what then?", 1)


def test_a_plot_names_its_source() -> None:
    drawn = svg(REPORT)
    root = ET.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = drawn.decode()
    assert plots.fingerprint(REPORT) in text
    for words in ("hours", "share", "one", "what then?", "a-scenario"):
        assert f">{words}" in text
    assert svg(REPORT) == drawn, "the same report, the same bytes"


def test_a_plot_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"expected: pip install 'sansticket\[plots\]'"):
        svg(REPORT)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clients", 0),
        pytest.param("clients", 10**4000, id="clients-large"),
        pytest.param("clients", 10**5000, id="clients-huge"),
        ("hours", 8761),
        ("servers", 10_001),
        ("seed", -1),
        ("clients", 2.0),
        ("hours", True),
    ],
)
def test_a_size_that_is_out_of_range(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: .*; expected|^{field}: .* of type"):
        Size(**{"clients": 1, "hours": 1, "servers": 1, field: value})  # type: ignore[arg-type]  # on purpose
