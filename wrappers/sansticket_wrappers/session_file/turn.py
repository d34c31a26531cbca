"""What stands where a store in memory has its lock: it also keeps other processes out, reads, and writes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from os import getpid
from threading import Lock, local
from types import TracebackType
from typing import Final

from sansticket import SessionFormatError
from sansticket_wrappers.session_file.disk import locked

log = logging.getLogger(__name__)

FAILURES: Final = (OSError, SessionFormatError)


class Turn:
    """``with turn:`` is one operation on the store.

    ``load`` brings the store to what the file has, ``save`` the file to what the store has, ``forget`` makes the store
    know nothing of the file.  What fails is logged; the operation has a store without sessions then, and leaves none.

    A process may be forked while another thread has its turn, which in the copy never ends.  So each process has a lock
    of its own, and begins by knowing nothing.
    """

    def __init__(
        self, path: str, load: Callable[[], None], save: Callable[[], None], forget: Callable[[], None]
    ) -> None:
        self._path = path
        self._load = load
        self._save = save
        self._forget = forget
        self._process = getpid()
        self._threads = {self._process: Lock()}
        self._others = ExitStack()
        self._outcome = local()

    @property
    def failed(self) -> bool:
        """Whether the last operation of this thread failed."""
        failed: bool = self._outcome.error is not None
        return failed

    def __enter__(self) -> None:
        process = getpid()
        self._threads.setdefault(process, Lock()).acquire()
        if process != self._process:
            self._process, self._others = process, ExitStack()
            self._forget()
        self._outcome.error = None
        try:
            self._others.enter_context(locked(self._path + ".lock"))
            self._load()
        except FAILURES as error:
            self._fail(error)
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.failed or kind is not None:
                self._forget()
            else:
                self._save()
        except FAILURES as failure:
            self._fail(failure)
        finally:
            self._leave()
        self._log(self._outcome.error)

    def _fail(self, error: Exception) -> None:
        self._outcome.error = error
        self._forget()

    def _log(self, error: Exception | None) -> None:
        """After the turn: who writes the log may send it over a connection that uses this store."""
        if error is not None:
            log.warning("sessions in %s: %s", self._path, error)
            self._outcome.error = error

    def _leave(self) -> None:
        self._others.close()
        self._threads[getpid()].release()
