"""aiosmtplib and aiosmtpd, with each other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from functools import partial
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP

from tests.support.command import PATIENCE
from tests.support.loops import run
from tests.support.resuming import resuming
from tests.support.sockets import SIDES, for_client, for_server


class Mailbox:
    """What has come."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.subjects.append(envelope.content.decode().partition("Subject: ")[2].splitlines()[0])
        return "250 OK"


@asynccontextmanager
async def serving(mailbox: Mailbox, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """The port of a server, with TLS from the first byte or not."""
    factory = partial(SMTP, mailbox, hostname="mail.example", **options)
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


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
    async def main() -> None:
        async with serving(mailbox, for_server(kind)) as port:
            for subject in ("first", "second"):
                await send(context, port, subject, use_tls=True)

    mailbox = Mailbox()
    with resuming() as context:
        run(main())
    assert mailbox.subjects == ["first", "second"]


@pytest.mark.library("aiosmtpd", "server")
@pytest.mark.parametrize("kind", SIDES)
def test_starttls(kind: str) -> None:
    async def main() -> None:
        async with serving(mailbox, tls_context=for_server("ours"), require_starttls=True) as port:
            await send(for_client(kind), port, "first", start_tls=True)

    mailbox = Mailbox()
    run(main())
    assert mailbox.subjects == ["first"]
