"""A ladder as a page for a browser: one file, and nothing is loaded from anywhere.

Each row opens to its details, by a click or with the keyboard; the page can be searched, is light or dark as the
reader's system is, and works without script as far as a page can (everything but the search).  What is allowed to run
is the one script in it, named by its hash in a Content-Security-Policy.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Final

from sansticket.debug.ladders.picture import Picture, Row
from sansticket.debug.ladders.script import SCRIPT, STYLE
from sansticket.debug.ladders.vector import LEGEND

KEYS: Final = (
    ("j k", "next, previous row"),
    ("Enter", "details"),
    ("/", "search"),
    ("Esc", "all rows again"),
    ("o", "open or close all"),
    ("d", "light or dark"),
)


def page(*pictures: Picture) -> str:
    """The file, as text: the ladders one below the other."""
    title = pictures[0].title if len(pictures) == 1 else f"{len(pictures)} connections"
    digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *_head(title),
            "<main>",
            *(line for picture in pictures for line in _ladder(picture, alone=len(pictures) == 1)),
            "</main>",
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>\n",
        ]
    )


def _head(title: str) -> Iterator[str]:
    yield f"<header><h1>{escape(title)}</h1>"
    yield '<p class="legend">'
    yield " ".join(f'<span class="{name}">{text}</span>' for name, text in LEGEND)
    yield "</p>"
    yield '<form role="search"><label for="search">Search</label>'
    yield '<input id="search" type="search" placeholder="ticket, key_share, server ..." autocomplete="off">'
    yield '<output id="found" for="search" aria-live="polite"></output></form>'
    yield '<p class="keys">'
    yield " ".join(f"<span><kbd>{key}</kbd> {what}</span>" for key, what in KEYS)
    yield "</p></header>"


def _ladder(picture: Picture, *, alone: bool) -> Iterator[str]:
    yield f'<section aria-label="{escape(picture.title)}">'
    if not alone:
        yield f"<h2>{escape(picture.title)}</h2>"
    yield '<div class="ends"><b>client</b><b>server</b></div>'
    yield '<div class="rails">'
    for row in picture.rows:
        yield from _row(row, picture.start)
    yield "</div>"
    if picture.notes:
        yield '<ul class="notes">'
        yield from (f"<li>{escape(note)}</li>" for note in picture.notes)
        yield "</ul>"
    yield "</section>"


def _row(row: Row, start: float | None) -> Iterator[str]:
    classes = f"row {row.side} {row.kind} {row.protection}"
    size = f'<span class="size">{row.size} B</span>' if row.size is not None else ""
    time = "" if row.time is None or start is None else f"<time>{row.time - start:+.6f} s</time>"
    name = f'<span class="name">{escape(row.title)}</span>'
    if not row.details:
        yield f'<div class="{classes}"><p class="line">{name}{size}{time}</p></div>'
        return
    yield f'<details class="{classes}"><summary class="line">{name}{size}{time}</summary><dl>'
    for what, value in row.details:
        yield f"<div><dt>{escape(what)}</dt><dd>{escape(value)}</dd></div>"
    yield "</dl></details>"
