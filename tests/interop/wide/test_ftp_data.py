"""Files from FTP servers that refuse a data connection which does not resume the control connection."""

from __future__ import annotations

import ftplib
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.ftplib import FTP_TLS
from tests.support.command import PATIENCE
from tests.support.configs import client_config
from tests.support.proftpd import CONTENT, proftpd
from tests.support.vsftpd import vsftpd

Server = Callable[[], AbstractContextManager[int]]

every_server = pytest.mark.parametrize(
    "server", [vsftpd, pytest.param(proftpd, marks=pytest.mark.by_hand)], ids=lambda server: server.__name__
)
every_version = pytest.mark.parametrize("version", [0x0304, 0x0303], ids=["1.3", "1.2"])


def log_in(client: ftplib.FTP_TLS, port: int) -> None:
    client.connect("127.0.0.1", port, timeout=PATIENCE)
    client.login()
    client.prot_p()


@every_server
@every_version
def test_files(server: Server, version: int) -> None:
    with server() as port, FTP_TLS(context=SSLContext(client_config(versions=[version]))) as client:
        log_in(client, port)
        for _ in range(3):
            received: list[bytes] = []
            client.retrbinary("RETR file", received.append)
            assert b"".join(received) == CONTENT
        assert client.nlst() == ["file"]


@every_server
@every_version
def test_without_resuming_there_are_none(server: Server, version: int) -> None:
    context = SSLContext(client_config(versions=[version]))
    with server() as port, ftplib.FTP_TLS(context=context, timeout=PATIENCE) as client:
        log_in(client, port)
        with pytest.raises((ftplib.Error, OSError)):
            client.nlst()
