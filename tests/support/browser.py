"""Chromium without a window, moved by its own protocol over a pair of pipes: keys are pressed, and pictures taken."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.command import PATIENCE

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--no-proxy-server", "--remote-debugging-pipe"),
)


class Browser:
    """One page.  ``requests`` are the addresses that it has asked for, ``complaints`` what it wrote to its console."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._held = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, path: Path, fragment: str = "") -> None:
        """A file, until it is there; from nowhere, since another fragment alone loads nothing."""
        for address in ("about:blank", path.as_uri() + fragment):
            self._call("Page.navigate", url=address)
            self._until("Page.loadEventFired")

    def press(self, *keys: str) -> None:
        """Keys by their names, as ``KeyboardEvent.key`` has them."""
        for key in keys:
            text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
            code = {"Enter": 13, "Escape": 27}.get(key, 0)
            for kind in ("keyDown", "keyUp"):
                self._call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)
                text = {}

    def click(self, selector: str) -> None:
        """The middle of the first element of that kind, with a mouse."""
        box = self.ask(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({selector!r})"
            ".getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def ask(self, expression: str) -> Any:
        """What JavaScript says, by value."""
        said = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def prefer(self, scheme: str) -> None:
        """``light`` or ``dark``."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, width: int, height: int) -> bytes:
        """A PNG of what is seen."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        return b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _call(self, method: str, **values: Any) -> Any:
        self._number += 1
        said: dict[str, Any] = {"id": self._number, "method": method, "params": values}
        if self._session is not None:
            said["sessionId"] = self._session
        os.write(self._writing, json.dumps(said).encode() + b"\0")
        for message in self._messages():
            if message.get("id") == self._number:
                assert "error" not in message, (method, message)
                return message["result"]
        raise AssertionError(method)

    def _until(self, event: str) -> None:
        for message in self._messages():
            if message.get("method") == event:
                return

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\0" not in self._held:
                self._held += self._read()
            raw, _, self._held = self._held.partition(b"\0")
            message = json.loads(raw)
            self._note(message)
            yield message

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(message["params"]))

    def _read(self) -> bytes:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._reading, selectors.EVENT_READ)
            assert waiting.select(PATIENCE), "the browser is silent"
        data = os.read(self._reading, 1 << 20)
        assert data, "the browser is gone"
        return data


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with an empty profile in ``folder``; it ends with the block."""
    commands, answers = os.pipe(), os.pipe()

    def takes_pipes() -> None:
        """It reads from descriptor 3 and writes to 4."""
        ends = os.dup(commands[0]), os.dup(answers[1])
        for number, end in enumerate(ends, 3):
            os.dup2(end, number)

    process = subprocess.Popen(
        ["chromium", *FLAGS, f"--user-data-dir={folder}/profile"],
        preexec_fn=takes_pipes,
        close_fds=False,
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands[0])
    os.close(answers[1])
    try:
        yield Browser(answers[0], commands[1])
    finally:
        process.terminate()
        process.wait(PATIENCE)
        os.close(commands[1])
        os.close(answers[0])
