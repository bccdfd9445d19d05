"""A server that speaks enough Bolt 5.4 to be asked a query by the real driver.

Neo4j itself is a Java program that no package registry for Python has, so the other end of the
conversation is played here, byte by byte as its protocol is published (Bolt: handshake, chunked
messages HELLO, LOGON, RUN, PULL, RESET, GOODBYE; values as PackStream).
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

HELLO, GOODBYE, RESET, RUN, PULL, LOGON = 0x01, 0x02, 0x0F, 0x10, 0x3F, 0x6A
SUCCESS, RECORD, IGNORED, FAILURE = 0x70, 0x71, 0x7E, 0x7F


@dataclass
class Server:
    """What the server answers, and what it was asked.

    Attributes:
        columns: the fields of the answer to every query.
        rows: its records.
        password: refuses any other; empty to let everybody in.
        complaint: what is wrong with every query; empty for nothing.
        dies_after: hangs up after so many records; never for -1.
        asked: the queries.
        pulls: how many records each PULL asked for.
    """

    columns: Sequence[str] = ("head", "relation", "tail", "weight")
    rows: Sequence[Sequence[object]] = ()
    password: str = ""
    complaint: str = ""
    dies_after: int = -1
    url: str = ""
    asked: list[str] = field(default_factory=list)
    pulls: list[int] = field(default_factory=list)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Answer connections on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.url = f"bolt://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=_accept, args=(listener, server), daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _accept(listener: socket.socket, server: Server) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                _talk(connection, server)
            except (ConnectionError, EOFError):
                continue


def _talk(connection: socket.socket, server: Server) -> None:
    magic, *offers = struct.unpack(">I4I", _exactly(connection, 20))
    assert magic == 0x6060B017
    assert offers
    connection.sendall(bytes([0, 0, 4, 5]))
    sent = 0
    while True:
        tag, fields = _receive(connection)
        if tag == GOODBYE:
            return
        if tag == LOGON and server.password and fields[0].get("credentials") != server.password:
            code = "Neo.ClientError.Security.Unauthorized"
            _send(connection, FAILURE, {"code": code, "message": "The client is unauthorized."})
            return
        if tag == HELLO:
            _send(connection, SUCCESS, {"server": "Neo4j/5.26.0", "connection_id": "bolt-1"})
        elif tag == RUN and server.complaint:
            code = "Neo.ClientError.Statement.SyntaxError"
            _send(connection, FAILURE, {"code": code, "message": server.complaint})
            while _receive(connection)[0] != RESET:
                _send(connection, IGNORED)
            _send(connection, SUCCESS, {})
        elif tag == RUN:
            server.asked.append(fields[0])
            sent = 0
            _send(connection, SUCCESS, {"fields": list(server.columns), "t_first": 0})
        elif tag == PULL:
            most = fields[0]["n"]
            server.pulls.append(most)
            stop = len(server.rows) if most < 0 else min(sent + most, len(server.rows))
            for row in server.rows[sent:stop]:
                if sent == server.dies_after:
                    return
                _send(connection, RECORD, list(row))
                sent += 1
            more = sent < len(server.rows)
            _send(connection, SUCCESS, {"has_more": True} if more else {"type": "r"})
        else:
            _send(connection, SUCCESS, {})


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _receive(connection: socket.socket) -> tuple[int, list[Any]]:
    """One message: chunks of up to 64 kB, each after its size, until one of size 0."""
    data = b""
    while True:
        (size,) = struct.unpack(">H", _exactly(connection, 2))
        if size:
            data += _exactly(connection, size)
        elif data:
            break
    reader = iter(data)
    fields = next(reader) & 0x0F
    tag = next(reader)
    return tag, [_unpack(reader) for _ in range(fields)]


def _send(connection: socket.socket, tag: int, *fields: object) -> None:
    data = bytes([0xB0 + len(fields), tag]) + b"".join(map(_pack, fields))
    for at in range(0, len(data), 0xFFFF):
        chunk = data[at : at + 0xFFFF]
        connection.sendall(struct.pack(">H", len(chunk)) + chunk)
    connection.sendall(b"\0\0")


def _pack(value: object) -> bytes:
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcb" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xc1" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        return b"\xd2" + struct.pack(">I", len(text)) + text
    if isinstance(value, list):
        return b"\xd6" + struct.pack(">I", len(value)) + b"".join(map(_pack, value))
    assert isinstance(value, dict)
    parts = b"".join(_pack(key) + _pack(part) for key, part in value.items())
    return b"\xda" + struct.pack(">I", len(value)) + parts


def _unpack(reader: Iterator[int]) -> Any:
    marker = next(reader)
    high, low = marker & 0xF0, marker & 0x0F
    if marker < 0x80:
        return marker
    if marker >= 0xF0:
        return marker - 0x100
    if high == 0x80:
        return _text(reader, low)
    if high == 0x90:
        return [_unpack(reader) for _ in range(low)]
    if high == 0xA0:
        return {_unpack(reader): _unpack(reader) for _ in range(low)}
    plain = {0xC0: None, 0xC2: False, 0xC3: True}
    if marker in plain:
        return plain[marker]
    if marker == 0xC1:
        return struct.unpack(">d", _bytes(reader, 8))[0]
    if 0xC8 <= marker <= 0xCB:
        return int.from_bytes(_bytes(reader, 1 << (marker - 0xC8)), "big", signed=True)
    size = int.from_bytes(_bytes(reader, 1 << (low & 3)), "big")
    if high == 0xD0 and low < 4:
        return _text(reader, size)
    if high == 0xD0 and low < 8:
        return [_unpack(reader) for _ in range(size)]
    assert 0xD8 <= marker <= 0xDA
    return {_unpack(reader): _unpack(reader) for _ in range(size)}


def _bytes(reader: Iterator[int], size: int) -> bytes:
    return bytes(next(reader) for _ in range(size))


def _text(reader: Iterator[int], size: int) -> str:
    return _bytes(reader, size).decode()
