"""What a connection asks of others while it works, noted and given again.

The clock, randomness, answers, ticket keys, caches and stores are not part of a connection.  A ``Noting`` stands
between them and it and notes each result in order; a ``Playing`` gives the same results again, in that order, and
needs none of them.

What is asked inside of a call is part of its result and not noted: a key ring that draws a salt is one call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sansticket.errors import ConfigError
from sansticket.replays.values import Left, ReplayError, read, written
from sansticket.tickets.keys.protection import NATIVE
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.session import SessionFormatError
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.client import ClientSessionStore
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.tickets.stores.revocations import Revocations
from sansticket.tickets.stores.uses import TicketUses

KINDS: Final[dict[str, type]] = {
    kind.__name__: kind
    for kind in (
        *(TicketKeyRing, WindowedTicketKeys, SessionCache, ClientSessionStore),
        *(ReplayRecorder, Revocations, TicketUses),
    )
}
"""Classes that a config insists on; whatever else stands outside is only known by its methods."""

ERRORS: Final[dict[str, Callable[[str], BaseException]]] = {
    "SessionFormatError": SessionFormatError,
    "ConfigError": lambda text: ConfigError("replay", text),
}
"""Those that the package itself catches by their class."""


class Interruption(BaseException):
    """What was raised and is no Exception, KeyboardInterrupt say: the one that plays it is not to be interrupted."""


Call = tuple[str, Any]
"""What was called, and what came of it, written."""


class Noting:
    """``calls`` are those since they were last taken; ``tables`` say of each object its class, and its attributes."""

    def __init__(self, config: Callable[[Any], Any]) -> None:
        self.calls: list[Call] = []
        self.tables: list[dict[str, Any]] = []
        self._config = config
        self._proxies: dict[int, Any] = {}
        self._inside = 0

    def call(self, what: str, make: Callable[[], Any]) -> Any:
        """The result of ``make``, noted."""
        if self._inside:
            return make()
        self._inside += 1
        try:
            result = make()
        except BaseException as error:
            self.calls.append(
                (what, {"raised": [type(error).__name__, str(error), isinstance(error, Exception)]})
            )
            raise
        finally:
            self._inside -= 1
        given, noted = self.pair(result)
        self.calls.append((what, noted))
        return given

    def pair(self, value: Any) -> tuple[Any, Any]:
        """What the connection gets, and how it is written: of what stays outside, somebody who notes."""
        proxies: list[Any] = []

        def outside(one: Any) -> Any:
            number = self.number_of(one)
            proxies.append(self._proxies[id(one)][1])
            return {"o": number}

        noted = self._config(value) or written(value, outside)
        return (proxies[0] if isinstance(noted, dict) and set(noted) == {"o"} else value), noted

    def number_of(self, target: Any) -> int:
        """Of an object that stays outside; it is known from now on."""
        known = self._proxies.get(id(target))
        if known is None:
            own = type(target).__name__
            other = "" if own in KINDS else own  # a class that only has the same name
            kind = next((name for name, one in KINDS.items() if isinstance(target, one)), other)
            if target is NATIVE:
                kind = "native codec"
            self.tables.append({"kind": kind, "attributes": {}})
            proxy = target if target is NATIVE else _proxy(self, target, len(self.tables) - 1, kind)
            known = self._proxies[id(target)] = (len(self.tables) - 1, proxy, target)
        number: int = known[0]
        return number

    def standing_for(self, target: Any) -> Any:
        """Who notes what ``target`` is asked."""
        self.number_of(target)
        return self._proxies[id(target)][1]

    def take(self) -> list[Call]:
        calls, self.calls = self.calls, []
        return calls


def _proxy(noting: Noting, target: Any, number: int, kind: str) -> Any:
    attributes = noting.tables[number]["attributes"]

    def get(name: str) -> Any:
        value = getattr(target, name)
        if callable(value):
            return lambda *given, **named: noting.call(f"{number}.{name}", lambda: value(*given, **named))
        given, attributes[name] = noting.pair(value)
        return given

    return _standing_for(kind, get, lambda: noting.call(f"{number}.len", lambda: len(target)))


class Playing:
    """Gives the noted results again.  ``diverged`` says where something else was asked, if that has happened."""

    def __init__(self, tables: list[dict[str, Any]], config: Callable[[Any], Any]) -> None:
        self.calls: Iterator[Call] = iter(())
        self.left = 0
        self.diverged = ""
        self._tables = tables
        self._config = config
        self._objects: dict[int, Any] = {}

    def expect(self, calls: list[Call]) -> None:
        """These come next."""
        self.calls, self.left = iter(calls), len(calls)

    def call(self, what: str) -> Any:
        """What came of it.  ReplayError where it is not what was asked."""
        noted, result = next(self.calls, ("nothing more", None))
        self.left -= 1
        if noted != what:
            self.diverged = self.diverged or f"asks for {what}, and what was noted is {noted}"
            raise ReplayError(self.diverged)
        if isinstance(result, dict) and "raised" in result:
            raise _error(result["raised"])
        value = self.value(result)
        if isinstance(value, Left):
            self.diverged = self.diverged or f"needs {what}, which was left out"
            raise ReplayError(self.diverged)
        return value

    def value(self, noted: Any) -> Any:
        return read(noted, self._outside)

    def _outside(self, kind: str, content: Any) -> Any:
        return self._config(content) if kind == "config" else self.standing_for(content)

    def standing_for(self, number: Any) -> Any:
        """Who gives what the object of this number gave."""
        if type(number) is not int or not 0 <= number < len(self._tables):
            raise ReplayError(f"object {number!r:.40}; expected one of {len(self._tables)}")
        if number not in self._objects:
            self._objects[number] = self._object(number)
        return self._objects[number]

    def _object(self, number: int) -> Any:
        table = self._tables[number]
        if table["kind"] == "native codec":
            return NATIVE

        def get(name: str) -> Any:
            if name in table["attributes"]:
                return self.value(table["attributes"][name])
            return lambda *given, **named: self.call(f"{number}.{name}")

        return _standing_for(table["kind"], get, lambda: self.call(f"{number}.len"))


def _error(noted: Any) -> BaseException:
    match noted:
        case [str() as name, str() as text, bool() as common]:
            if name in ERRORS:
                return ERRORS[name](text)
            kind: type[BaseException] = type(name, (Exception if common else Interruption,), {})
            return kind(text)
    raise ReplayError("an error that was raised, without its name")


def _standing_for(kind: str, get: Callable[[str], Any], length: Callable[[], int]) -> Any:
    """An object of that class, if there is one, of which all is got by ``get``."""
    base: Any = KINDS.get(kind, object)

    class Outside(base):  # type: ignore[misc]  # a class that is known only here
        def __init__(self) -> None:
            """Nothing of its own."""

        def __getattribute__(self, name: str) -> Any:
            return object.__getattribute__(self, name) if name.startswith("__") else get(name)

        def __len__(self) -> int:
            return length()

        def __bool__(self) -> bool:
            return True

        def __repr__(self) -> str:
            return f"<outside: {kind or 'an object'}>"

    if kind.isidentifier():
        Outside.__name__ = kind  # errors say it
    return Outside()
