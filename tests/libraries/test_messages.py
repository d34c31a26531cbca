"""Clients of brokers."""

from __future__ import annotations

import ssl
import struct
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event
from typing import Any

import aiomqtt
import kafka
import paho.mqtt.client
import pika
import pika.frame
import pika.spec
import pytest

from tests.support.command import PATIENCE
from tests.support.http_server import running
from tests.support.loops import run
from tests.support.resuming import resuming
from tests.support.sockets import SIDES, accept, for_server
from tests.support.talking import exactly, talking_tls


@pytest.fixture(params=SIDES)
def server(request: pytest.FixtureRequest) -> ssl.SSLContext:
    return for_server(request.param)


# --- MQTT ----------------------------------------------------------------------------------------------------


def mqtt(sock: ssl.SSLSocket) -> None:
    """Whoever comes is connected."""
    kind, length = exactly(sock, 2)
    assert kind == 0x10
    assert exactly(sock, length)[:6] == b"\0\4MQTT"
    sock.sendall(b"\x20\2\0\0")


@pytest.mark.library("paho-mqtt", "client", "resumes")
def test_paho(server: ssl.SSLContext) -> None:
    with talking_tls(server, mqtt, 2) as port, resuming() as context:
        for _ in range(2):
            connected = Event()
            client = paho.mqtt.client.Client(paho.mqtt.client.CallbackAPIVersion.VERSION2)
            client.connect_timeout = PATIENCE
            client.on_connect = lambda *_, told=connected: told.set()
            client.tls_set_context(context)
            client.connect("127.0.0.1", port)
            client.loop_start()
            assert connected.wait(PATIENCE)
            client.disconnect()
            client.loop_stop()


@pytest.mark.library("aiomqtt", "client", "resumes")
def test_aiomqtt(server: ssl.SSLContext) -> None:
    async def main() -> None:
        for _ in range(2):
            async with aiomqtt.Client("127.0.0.1", port, tls_context=context, timeout=PATIENCE):
                pass

    with talking_tls(server, mqtt, 2) as port, resuming() as context:
        run(main())


# --- AMQP ----------------------------------------------------------------------------------------------------


def method(channel: int, what: Any) -> bytes:
    return bytes(pika.frame.Method(channel, what).marshal())


def amqp(sock: ssl.SSLSocket) -> None:
    assert exactly(sock, 8) == b"AMQP\0\0\x09\1"
    properties = {"capabilities": {}}
    sock.sendall(method(0, pika.spec.Connection.Start(0, 9, properties, "PLAIN", "en_US")))
    for answers in ([pika.spec.Connection.Tune(0, 131_072, 0)], [], [pika.spec.Connection.OpenOk()]):
        frame(sock)
        for answer in answers:
            sock.sendall(method(0, answer))
    frame(sock)
    sock.sendall(method(0, pika.spec.Connection.CloseOk()))


def frame(sock: ssl.SSLSocket) -> None:
    _, _, length = struct.unpack("!BHI", exactly(sock, 7))
    assert exactly(sock, length + 1).endswith(b"\xce")


@pytest.mark.library("pika", "client", "resumes")
def test_pika(server: ssl.SSLContext) -> None:
    with talking_tls(server, amqp, 2) as port, resuming() as context:
        for _ in range(2):
            options = pika.SSLOptions(context, "127.0.0.1")
            parameters = pika.ConnectionParameters(
                "127.0.0.1", port, ssl_options=options, socket_timeout=PATIENCE, stack_timeout=PATIENCE
            )
            pika.BlockingConnection(parameters).close()


# --- Kafka ---------------------------------------------------------------------------------------------------


def broker(sock: ssl.SSLSocket) -> None:
    """Says who there is, as often as it is asked: itself, and no topics."""
    while head := exactly(sock, 4):
        key, version, correlation = struct.unpack("!hhi", exactly(sock, int.from_bytes(head))[:8])
        assert (key, version) == (3, 0), "metadata"
        port = sock.getsockname()[1]
        answer = struct.pack("!iiih9sii", correlation, 1, 0, 9, b"127.0.0.1", port, 0)
        sock.sendall(struct.pack("!I", len(answer)) + answer)


@pytest.mark.library("kafka-python", "client", "resumes")
def test_kafka(server: ssl.SSLContext) -> None:
    """A consumer asks on the connection on which it found the brokers, or, if that is closed by then, on another."""

    class Broker(BaseRequestHandler):
        def handle(self) -> None:
            broker(self.request)

    with ThreadingTCPServer(("127.0.0.1", 0), Broker) as brokers, resuming(2, 3, 4) as context:
        brokers.socket = accept(server, brokers.socket)
        with running(brokers):
            for _ in range(2):
                consumer = kafka.KafkaConsumer(
                    bootstrap_servers=f"127.0.0.1:{brokers.server_address[1]}",
                    security_protocol="SSL",
                    ssl_context=context,
                    api_version=(0, 9),
                )
                assert consumer.topics() == set()
                consumer.close()
