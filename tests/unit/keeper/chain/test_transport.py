"""The kept connections, against a server in this process."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keeper.chain.node import Node, NodeError
from keeper.chain.transport import Session, TransportError


class _Handler(BaseHTTPRequestHandler):
    """Echoes; `/fail` answers 500, `/close` closes without saying so, `/slow` never answers in time."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.peers.append(self.client_address)  # type: ignore[attr-defined]
        self.server.credentials = self.headers["Authorization"]  # type: ignore[attr-defined]
        if self.path == "/rpc":
            body = b'{"jsonrpc": "2.0", "id": 0, "result": "0x7a69"}'
        if self.path == "/slow":
            self.server.released.wait(5)  # type: ignore[attr-defined]
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # whom it was slow for has gone
            self.wfile.write(body)
        if self.path.startswith("/close"):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(socket_enabled: None) -> Iterator[ThreadingHTTPServer]:
    found = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    found.peers = []  # type: ignore[attr-defined]
    found.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.released.set()  # type: ignore[attr-defined]
    found.shutdown()
    found.server_close()


def _url(server: ThreadingHTTPServer, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def test_post__twice__one_connection_and_both_answers(server: ThreadingHTTPServer) -> None:
    session = Session()
    assert session.post(_url(server), b"first").content == b"first"
    assert session.post(_url(server), b"second").content == b"second"
    assert len(set(server.peers)) == 1  # type: ignore[attr-defined]


def test_post__other_thread__connection_of_its_own(server: ThreadingHTTPServer) -> None:
    session = Session()
    session.post(_url(server), b"here")
    other = threading.Thread(target=session.post, args=(_url(server), b"there"))
    other.start()
    other.join()
    assert len(set(server.peers)) == 2  # type: ignore[attr-defined]


def test_post__closed_by_the_server_meanwhile__opened_again(server: ThreadingHTTPServer) -> None:
    session = Session()
    for body in (b"first", b"second", b"third"):
        assert session.post(_url(server, "/close"), body).content == body
    assert len(set(server.peers)) == 3  # type: ignore[attr-defined]


def test_post__error_status__raised_when_asked(server: ThreadingHTTPServer) -> None:
    answer = Session().post(_url(server, "/fail"), b"x")
    with pytest.raises(TransportError, match="500"):
        answer.raise_for_status()


def test_post__no_answer_in_time__raises_and_the_next_one_gets_its_own(server: ThreadingHTTPServer) -> None:
    session = Session()
    with pytest.raises(TimeoutError):
        session.post(_url(server, "/slow"), b"late", timeout=0.1)
    server.released.set()  # type: ignore[attr-defined]
    assert session.post(_url(server), b"next").content == b"next"


def test_post__nobody_listens__raises(server: ThreadingHTTPServer) -> None:
    url = _url(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError):
        Session().post(url, b"x")


def test_node__through_web3__asks_and_decodes(server: ThreadingHTTPServer) -> None:
    assert Node(_url(server, "/rpc")).chain_id() == 31_337


def test_node__error_status__said_without_what_may_be_secret(server: ThreadingHTTPServer) -> None:
    url = _url(server, "/fail").replace("http://", "http://user:hunter2@") + "?key=0123456789"
    node = Node(url)
    with pytest.raises(NodeError, match="does not answer: HTTP status 500") as failed:
        node.chain_id()
    assert node.url == _url(server, "") and node.url in str(failed.value)
    assert "hunter2" not in str(failed.value) and "0123456789" not in str(failed.value)
    assert server.credentials == "Basic " + b64encode(b"user:hunter2").decode()  # type: ignore[attr-defined]
