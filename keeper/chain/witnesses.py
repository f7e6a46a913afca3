"""Other nodes, asked where one's logs cannot be the whole truth; and who was wrong is named.

A log index that is behind, or that lost its end in a crash, answers with nothing rather than with an error:
that is the commonest way to lose an event. Receipts are another index in the same node.
"""

from collections.abc import Iterator, Mapping, Sequence

from keeper.chain import abi_codec
from keeper.chain.block_logs import BlockLogs, Log, LogReader
from keeper.chain.node import NodeError, Rpc
from keeper.observability import names
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics


class Witnesses:
    """The nodes of a pool, one by one; of a single node, only its receipts."""

    def __init__(self, rpc: Rpc, reader: LogReader, contracts: Mapping[str, str], metrics: Metrics) -> None:
        """`contracts` are names by address in lower case."""
        self._rpc = rpc
        self._reader = reader
        self._contracts = contracts
        self._metrics = metrics

    def checked(self, blocks: Sequence[BlockLogs]) -> list[BlockLogs]:
        """The same blocks; where the bloom allows logs and none came, as another node has them."""
        silent = [block for block in blocks if block.may_hold and not block.logs]
        nodes = self._nodes()
        if not silent or len(nodes) < 2:
            return list(blocks)
        try:
            heard = {b.ref.hash: b for b in self._reader.again(nodes[-1], silent) if b.logs}
        except NodeError:
            return list(blocks)  # only a second look: sequence numbers are the proof
        if heard:
            self.blame(list(heard.values()))
        return [heard.get(block.ref.hash, block) for block in blocks]

    def testimonies(self, blocks: Sequence[BlockLogs]) -> Iterator[list[BlockLogs]]:
        """The same blocks as every node has them, in its log index and in its receipts."""
        nodes = self._nodes()
        for read in (self._reader.again, self._reader.from_receipts):
            for node in reversed(nodes):  # the first one was asked already
                try:
                    yield read(node, blocks)
                except NodeError as error:
                    logger("index").warning("no testimony", node=node.url, reason=str(error))

    def block_of(self, missing: tuple[str, int], first: int, last: int) -> int:
        """The block between two that holds a contract's event of a sequence number, as any node has it; the
        later one if nobody knows."""
        contract, seq = missing
        address = self._address(contract)
        if address is None:
            return last
        asked = {"address": address, "fromBlock": hex(first), "toBlock": hex(last)}
        for node in reversed(self._nodes()):
            try:
                logs = node.request("eth_getLogs", asked)
                found = [int(log["blockNumber"], 16) for log in logs if _seq(contract, log) == seq]
            except (NodeError, TypeError, KeyError, ValueError):
                continue
            if found:
                return found[0]
        return last

    def hold(self, missing: tuple[str, int], blocks: Sequence[BlockLogs]) -> bool:
        """Whether a contract's event of a sequence number is in these blocks."""
        contract, seq = missing
        address = self._address(contract)
        logs = [log for block in blocks for log in block.logs if log["address"].lower() == address]
        return any(_seq(contract, log) == seq for log in logs)

    def blame(self, blocks: Sequence[BlockLogs]) -> None:
        """Name, count and put out every node whose logs are not those of `blocks`."""
        nodes = self._nodes()
        for node in nodes:
            try:
                theirs = self._reader.again(node, blocks)
            except NodeError:
                continue
            wrong = [b.ref.number for a, b in zip(theirs, blocks, strict=True) if _same(a) != _same(b)]
            if not wrong:
                continue
            reason = f"its logs of block {wrong[0]} are not the chain's"
            logger("index").error("node is wrong", node=node.url, reason=reason)
            self._metrics.count(names.LOG_FAULTS, node=node.url)
            distrust = getattr(self._rpc, "distrust", None)
            if distrust is not None and len(nodes) > 1:
                distrust(node.url, reason)

    def _address(self, contract: str) -> str | None:
        return next((a for a, name in self._contracts.items() if name == contract), None)

    def _nodes(self) -> Sequence[Rpc]:
        found: Sequence[Rpc] = getattr(self._rpc, "nodes", (self._rpc,))
        return found


def _same(block: BlockLogs) -> list[tuple[object, ...]]:
    return [(log["logIndex"], log["address"].lower(), log["topics"], log["data"]) for log in block.logs]


def _seq(contract: str, log: Log) -> int:
    event = abi_codec.load(contract).events.get(log["topics"][0]) if log["topics"] else None
    if event is None:
        return 0
    return int(event.decode(log["topics"], bytes.fromhex(log["data"][2:])).get("seq", 0))
