"""A local chain: which anvil to run, and one that starts, answers and stops with the caller."""

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHAIN_ID = 31337
# the phrase every Ethereum developer tool starts from: its keys are public
MNEMONIC = "test test test test test test test test test test test junk"
_START_SECONDS = 20


class DevnetError(RuntimeError):
    """No usable anvil, or it does not answer."""


@dataclass(frozen=True)
class Devnet:
    """A running chain."""

    url: str
    chain_id: int
    process: subprocess.Popen[bytes]

    def rpc(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call. DevnetError with the node's words if it refuses."""
        return rpc(self.url, method, *params)

    def mine_at(self, timestamp: int) -> None:
        """Mines one block stamped `timestamp` (unix seconds, later than the last block's)."""
        self.rpc("evm_setNextBlockTimestamp", timestamp)
        self.rpc("evm_mine")


def pinned_version() -> str:
    """The version of anvil that package.json names."""
    content = json.loads((ROOT / "package.json").read_text())
    return str(content["devDependencies"]["@foundry-rs/anvil"])


@functools.cache
def anvil_path() -> str:
    """The pinned anvil: $ANVIL, the one beside this Python, on PATH, in node_modules. Else DevnetError."""
    candidates = [os.environ.get("ANVIL"), str(Path(sys.executable).parent / "anvil"), shutil.which("anvil")]
    candidates += [str(path) for path in ROOT.glob("node_modules/@foundry-rs/*/bin/anvil*")]
    for candidate in candidates:
        if candidate and Path(candidate).is_file() and _version_of(candidate) == pinned_version():
            return candidate
    raise DevnetError(f"no anvil {pinned_version()} found: run `make setup`, or put one on PATH")


def rpc(url: str, method: str, *params: Any) -> Any:
    """One JSON-RPC call. DevnetError when the node is down or refuses."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise DevnetError(f"no node answers at {url}: {error}") from None
    if "error" in answer:
        raise DevnetError(f"{method}: {answer['error'].get('message', answer['error'])}")
    return answer["result"]


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def start_anvil(
    port: int | None = None,
    genesis_timestamp: int | None = None,
    chain_id: int = CHAIN_ID,
    accounts: int = 40,
    log: Path | None = None,
) -> Iterator[Devnet]:
    """A fresh chain on localhost, stopped at the end. Blocks come with transactions; zero base fee.

    `genesis_timestamp` unix seconds; `accounts` funded keys of the public test phrase.
    DevnetError if it does not start.
    """
    port = port or free_port()
    command = [anvil_path(), "--port", str(port), "--chain-id", str(chain_id), "--accounts", str(accounts)]
    command += [
        "--silent",
        "--mnemonic",
        MNEMONIC,
        "--order",
        "fifo",
        "--base-fee",
        "0",
        "--balance",
        "100000",
    ]
    command += ["--gas-limit", "36000000"]
    if genesis_timestamp is not None:
        command += ["--timestamp", str(genesis_timestamp)]
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        devnet = Devnet(f"http://127.0.0.1:{port}", chain_id, process)
        try:
            _wait_until_up(devnet)
            yield devnet
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], seconds: float = 5) -> None:
    """Ends a process, politely first."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _version_of(path: str) -> str | None:
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20).stdout
        for line in said.splitlines():
            if line.lower().startswith("anvil version:"):
                return line.split(":", 1)[1].strip().split("-")[0]
    return None


def _wait_until_up(devnet: Devnet) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if devnet.process.poll() is not None:
            raise DevnetError(f"anvil ended at once with code {devnet.process.returncode} ({devnet.url})")
        with suppress(DevnetError):
            if int(devnet.rpc("eth_chainId"), 16) == devnet.chain_id:
                return
        time.sleep(0.02)
    raise DevnetError(f"anvil does not answer at {devnet.url} after {_START_SECONDS} s")
