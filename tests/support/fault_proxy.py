"""A proxy between a keeper and its node that does what networks and nodes do wrong, by script.

    with FaultProxy(devnet.url) as proxy:
        pool = Pool([proxy.url], ...)
        with proxy.fault(Hang(("eth_call",))):
            ...
        proxy.add(Status(code=429, times=5))
        proxy.down(); proxy.up()            # connection refused, and back on the same port
        proxy.half_open = True              # connections are taken, nothing is ever said
        proxy.drop_websockets()

It serves HTTP at `url` and websockets at `websocket_url`, from a thread of its own. `calls` counts requests
by method; everything may be called from any thread.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.support import faults
from tests.support.faults import Answering, Fault, RpcError

_HOST = "127.0.0.1"
_TRANSPORT = faults.TRANSPORT


class FaultProxy:
    """One proxy; a context manager."""

    def __init__(self, upstream: str, port: int = 0) -> None:
        """`upstream` is the node's http address; port 0: any free one."""
        parts = urlsplit(upstream)
        assert parts.hostname and parts.port
        self._upstream = (parts.hostname, parts.port)
        self.port, self.websocket_port = port, 0
        self.calls: Counter[str] = Counter()
        self.half_open = False
        self._faults: list[Fault] = []
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._sockets: set[ServerConnection] = set()
        self._server: asyncio.Server | None = None
        self._websockets: Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="fault-proxy")

    @property
    def url(self) -> str:
        """For HTTP."""
        return f"http://{_HOST}:{self.port}"

    @property
    def websocket_url(self) -> str:
        """For websockets."""
        return f"ws://{_HOST}:{self.websocket_port}"

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # Script

    def add(self, *added: Fault) -> None:
        """Faults from now on, before those that are there already."""
        self._faults = [*added, *self._faults]

    def remove(self, *removed: Fault) -> None:
        """No longer."""
        self._faults = [fault for fault in self._faults if fault not in removed]

    def clear(self) -> None:
        """A good node again; also after `half_open`."""
        self._faults = []
        self.half_open = False

    @contextmanager
    def fault(self, *added: Fault) -> Iterator[None]:
        """Faults for as long as the block runs."""
        self.add(*added)
        try:
            yield
        finally:
            self.remove(*added)

    def down(self) -> None:
        """Nobody listens: connections are refused, those that are open are reset."""
        self._do(self._down())

    def up(self) -> None:
        """Listens again, on the same ports."""
        self._do(self._up())

    def drop_websockets(self) -> None:
        """Closes every websocket without a word."""
        self._do(self._drop_websockets())

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, _HOST, self.port, reuse_address=True)
            self.port = self._server.sockets[0].getsockname()[1]
            self._websockets = await serve(self._serve_websocket, _HOST, self.websocket_port)
            self.websocket_port = next(iter(self._websockets.sockets)).getsockname()[1]

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        if self._websockets is not None:
            await self._drop_websockets()
            self._websockets.close()
            self._websockets = None

    async def _drop_websockets(self) -> None:
        for socket in list(self._sockets):
            socket.transport.abort()

    async def _close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (body := await _read_message(reader)) is not None:
                if self.half_open:
                    await reader.read()  # until the other side gives up
                if not await self._reply(reader, writer, body):
                    break
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._open.discard(writer)
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> bool:
        """Whether the connection goes on."""
        payload = json.loads(body)
        transport = self._transport_faults(payload)
        for fault in transport:
            if isinstance(fault, faults.Hang):
                await reader.read()
                return False
            if isinstance(fault, faults.Latency):
                await asyncio.sleep(fault.seconds)
            if isinstance(fault, faults.Reset):
                writer.transport.abort()
                return False
            if isinstance(fault, faults.Status):
                await _write(writer, fault.body, fault.code)
                return True
        answer = json.dumps(await self._answers(payload)).encode()
        for fault in transport:
            if isinstance(fault, faults.Garbage):
                answer = fault.body
            if isinstance(fault, faults.Truncated):
                await _write(writer, answer[: len(answer) // 2], claimed=len(answer))
                return False
            if isinstance(fault, faults.Drip):
                return await _drip(writer, answer, fault.seconds)
        await _write(writer, answer)
        return True

    def _transport_faults(self, payload: Any) -> list[Fault]:
        calls = payload if isinstance(payload, list) else [payload]
        present = [fault for fault in self._faults if isinstance(fault, _TRANSPORT)]
        return [fault for fault in present if any(fault.strikes(call["method"]) for call in calls)]

    async def _answers(self, payload: Any) -> Any:
        """Of a request or a batch; a batch without faults goes to the node as one."""
        if not isinstance(payload, list):
            return await self._answer(payload)
        if not any(isinstance(fault, Answering) for fault in self._faults):
            self.calls.update(call["method"] for call in payload)
            return await self._forward(payload)
        return [await self._answer(call) for call in payload]

    async def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        method, params = call["method"], list(call.get("params", []))
        self.calls[method] += 1
        answer = {"jsonrpc": "2.0", "id": call.get("id")}
        striking = [f for f in self._faults if isinstance(f, Answering) and f.strikes(method)]
        try:
            return answer | {"result": await self._through(striking, method, params)}
        except RpcError as error:
            return answer | {"error": error.error}

    async def _through(self, striking: list[Answering], method: str, params: list[Any]) -> Any:
        """The first fault answers, and asks the next ones for what the node says; the last asks the node."""

        async def ask(inner: str, arguments: Any) -> Any:
            if inner == method and len(striking) > 1:
                return await self._through(striking[1:], inner, list(arguments))
            return await self.ask(inner, list(arguments))

        if not striking:
            return await self.ask(method, params)
        return await striking[0].answer(ask, method, params)

    async def ask(self, method: str, params: list[Any]) -> Any:
        """The node's own answer. Raises RpcError."""
        answer = await self._forward({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if "error" in answer:
            error = answer["error"]
            raise RpcError(error["message"], error["code"], error.get("data"))
        return answer["result"]

    async def _forward(self, payload: Any) -> Any:
        body = json.dumps(payload).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: {_HOST}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        kept = bool(self._idle)
        reader, writer = self._idle.pop() if kept else await asyncio.open_connection(*self._upstream)
        answer = None
        with suppress(OSError, asyncio.IncompleteReadError):
            writer.write(head.encode() + body)
            await writer.drain()
            answer = await _read_message(reader)
        if answer is not None:
            self._idle.append((reader, writer))
            return json.loads(answer)
        writer.close()
        if not kept:
            raise ConnectionError("the node closed the connection")
        return await self._forward(payload)  # the node had closed a kept connection meanwhile

    # Websockets

    async def _serve_websocket(self, client: ServerConnection) -> None:
        """Requests are answered with the faults of HTTP; what the node sends by itself passes unless
        `eth_subscription` hangs."""
        self._sockets.add(client)
        host, port = self._upstream
        try:
            async with connect(f"ws://{host}:{port}") as node:
                pump = asyncio.create_task(self._pump(node, client))
                try:
                    async for message in client:
                        await self._relay(json.loads(message), node, client)
                finally:
                    pump.cancel()
        except (OSError, ConnectionClosed):
            return
        finally:
            self._sockets.discard(client)

    async def _relay(self, call: Any, node: Any, client: ServerConnection) -> None:
        transport = self._transport_faults(call)
        for fault in transport:
            if isinstance(fault, faults.Latency):
                await asyncio.sleep(fault.seconds)
        if self.half_open or any(isinstance(fault, faults.Hang) for fault in transport):
            return
        if any(isinstance(fault, faults.Reset) for fault in transport):
            client.transport.abort()
        elif call["method"] in ("eth_subscribe", "eth_unsubscribe"):
            self.calls[call["method"]] += 1
            await node.send(json.dumps(call))
        elif any(isinstance(fault, faults.Garbage) for fault in transport):
            await client.send("<not json>")
        else:
            await client.send(json.dumps(await self._answer(call)))

    async def _pump(self, node: Any, client: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in node:
                is_news = json.loads(message).get("method") == "eth_subscription"
                silent = [f for f in self._faults if isinstance(f, faults.Hang)]
                if self.half_open or (is_news and any(f.strikes("eth_subscription") for f in silent)):
                    continue
                await client.send(message)


async def _read_message(reader: asyncio.StreamReader) -> bytes | None:
    """Body of an HTTP message, None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").lower().split("\r\n")
    size = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
    return await reader.readexactly(size)


async def _write(
    writer: asyncio.StreamWriter, body: bytes, code: int = 200, claimed: int | None = None
) -> None:
    length = len(body) if claimed is None else claimed
    head = f"HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _drip(writer: asyncio.StreamWriter, body: bytes, seconds: float) -> bool:
    await _write(writer, b"", claimed=len(body))
    for i in range(len(body)):
        writer.write(body[i : i + 1])
        await writer.drain()
        await asyncio.sleep(seconds)
    return True
