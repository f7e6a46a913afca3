"""Chain time of the demo: it moves when the story does, one attested epoch at a time."""

import time
from dataclasses import dataclass

from eth_utils.abi import function_signature_to_4byte_selector

from scripts._demo_network import Keepers
from scripts._devnet import Devnet

_EPOCH_SECONDS = 60  # of wall clock, until an epoch must be there
_POLL_SECONDS = 0.02
_QUIET_SECONDS = 1.0
_HEADER = "0x" + function_signature_to_4byte_selector("header()").hex()
_NUMBER, _TIMESTAMP = 0, 2  # words of IRiskOracle.Header


@dataclass
class Clock:
    """Moves the chain and waits for what the keepers make of it."""

    devnet: Devnet
    oracle: str  # address
    keepers: Keepers
    now: int = 0  # timestamp of the block that was mined last for an epoch
    _before: int = 0  # latest epoch when it was mined

    def move_to(self, timestamp: int) -> None:
        """Mines a block at `timestamp`, or just after the last one if that is later; once."""
        if self.now >= timestamp:
            return
        self._before, _ = self._header()
        self.now = max(timestamp, self._latest() + 1)
        self.devnet.mine_at(self.now)

    def epoch_at(self, timestamp: int) -> int:
        """Moves to `timestamp` and returns the epoch that attests it."""
        self.move_to(timestamp)
        deadline = time.monotonic() + _EPOCH_SECONDS
        while time.monotonic() < deadline:
            number, attested = self._header()
            if number > self._before and attested >= timestamp:
                return number
            self.keepers.require_alive()
            time.sleep(_POLL_SECONDS)
        raise RuntimeError(f"no epoch for {timestamp} within {_EPOCH_SECONDS} s: {self._proposer_says()}")

    def wait_until_quiet(self) -> None:
        """Until the keepers have sent nothing for a while."""
        last, since = self._height(), time.monotonic()
        deadline = since + _EPOCH_SECONDS
        while time.monotonic() < min(since + _QUIET_SECONDS, deadline):
            self.keepers.require_alive()
            time.sleep(_POLL_SECONDS)
            height = self._height()
            if height != last:
                last, since = height, time.monotonic()

    def _header(self) -> tuple[int, int]:
        """Number and time of the latest epoch."""
        answer = self.devnet.rpc("eth_call", {"to": self.oracle, "data": _HEADER}, "latest")
        words = [int(answer[2 + 64 * i : 66 + 64 * i], 16) for i in (_NUMBER, _TIMESTAMP)]
        return words[0], words[1]

    def _latest(self) -> int:
        block = self.devnet.rpc("eth_getBlockByNumber", "latest", False)
        return int(block["timestamp"], 16)

    def _height(self) -> int:
        return int(self.devnet.rpc("eth_blockNumber"), 16)

    def _proposer_says(self) -> str:
        try:
            return str(self.keepers.client.status().get("proposer", {}))
        except RuntimeError as error:
            return str(error)
