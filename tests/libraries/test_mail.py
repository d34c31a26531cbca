"""aiosmtplib and aiosmtpd, with each other."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from tests.support.command import PATIENCE
from tests.support.resuming import resuming
from tests.support.sockets import SIDES, for_client, for_server


class Mailbox:
    """What has come."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.subjects.append(envelope.content.decode().partition("Subject: ")[2].splitlines()[0])
        return "250 OK"


class Here(Controller):
    """On a free port; its own way to see whether it has started would connect to port 0."""

    @property
    def chosen(self) -> int:
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def _trigger_server(self) -> None:
        socket.create_connection(("127.0.0.1", self.chosen), PATIENCE).close()


@contextmanager
def started(controller: Here) -> Iterator[int]:
    """Its port."""
    controller.start()
    try:
        yield controller.chosen
    finally:
        controller.stop()


class Upgraded(Here):
    """In clear until STARTTLS."""

    def factory(self) -> SMTP:
        return SMTP(
            self.handler, hostname="mail.example", tls_context=for_server("ours"), require_starttls=True
        )


def letter(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@mail.example", "b@mail.example", subject
    message.set_content("what there is to say")
    return message


async def send(context: ssl.SSLContext, port: int, subject: str, **options: Any) -> None:
    await aiosmtplib.send(
        letter(subject), hostname="127.0.0.1", port=port, tls_context=context, timeout=PATIENCE, **options
    )


@pytest.mark.library("aiosmtplib", "client", "resumes")
@pytest.mark.parametrize("kind", SIDES)
def test_mail(kind: str) -> None:
    mailbox = Mailbox()
    controller = Here(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        ready_timeout=PATIENCE,
        ssl_context=for_server(kind),
        server_hostname="x",
    )
    with started(controller) as port, resuming() as context:
        for subject in ("first", "second"):
            asyncio.run(send(context, port, subject, use_tls=True))
    assert mailbox.subjects == ["first", "second"]


@pytest.mark.library("aiosmtpd", "server")
@pytest.mark.parametrize("kind", SIDES)
def test_starttls(kind: str) -> None:
    mailbox = Mailbox()
    with started(Upgraded(mailbox, hostname="127.0.0.1", port=0, ready_timeout=PATIENCE)) as port:
        asyncio.run(send(for_client(kind), port, "first", start_tls=True))
    assert mailbox.subjects == ["first"]
