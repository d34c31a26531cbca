"""Draws the ladders that are in docs/ladders.md: ``python -m tools.pictures``.

They are of the demo's full handshake: as SVG, and a picture of the page in Chromium, in the light with two rows open.
Randoms, times and sizes of signatures are others each time, so nothing checks that they are the newest.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sansticket.command.demo import Demo, Options
from sansticket.debug.ladders.page import page
from sansticket.debug.ladders.picture import picture
from sansticket.debug.ladders.vector import svg
from tests.support.browser import browser

FOLDER: Final = Path(__file__).parent.parent / "docs/pictures"


def main() -> None:
    options = Options(version=0x0304, tickets=2, retry=False, client_certificate=False, width=100)
    demo = Demo(options)
    made = picture(demo.connect().steps, demo.key_log, "A full handshake, and two tickets")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "ladder.svg").write_text(svg(made), encoding="utf-8")
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        file = Path(home, "ladder.html")
        file.write_text(page(made), encoding="utf-8")
        with browser(Path(home)) as shown:
            shown.prefer("light")
            shown.open(file)
            shown.press("j", "j", "Enter")
            shown.ask("document.querySelector('summary').scrollIntoView({block: 'center'})")
            (FOLDER / "ladder.png").write_bytes(shown.picture(1040, 1180))


if __name__ == "__main__":
    main()
