"""A made-up history of the clearing contracts, as a node answers it: logs by block, which a new index can
read. For measuring, where a real chain would take an hour to fill."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from eth_abi.abi import encode

from keeper.chain import abi_codec
from keeper.chain.block_logs import BlockLogs
from keeper.chain.contracts import CLEARINGHOUSE, EXCHANGE, ORACLE, VAULT
from keeper.chain.index import WATCHED
from keeper.chain.node import BlockRef
from keeper.markets.instrument import Instrument, Kind, word
from keeper.units.constants import CHANGE_FILL, WAD

ADDRESSES = {name: "0x" + f"{number:040x}" for number, name in enumerate(WATCHED, start=0xC0FFEE)}
_EXPIRY = 1_743_552_000
INSTRUMENTS = [
    Instrument(1, _EXPIRY, strike * 10**8, kind).pack()
    for strike in range(1_000, 4_000, 100)
    for kind in (Kind.CALL, Kind.PUT)
]
_HASH = "0x" + "00" * 31


@dataclass
class History:
    """Accounts are opened and funded, then trade: two changes of position and a fill a trade, in blocks of
    some forty logs, with an epoch now and then."""

    accounts: int
    trades: int
    seed: int = 1
    per_block: int = 40
    _seqs: dict[str, int] = field(default_factory=dict)

    def blocks(self) -> Iterator[BlockLogs]:
        """All of it, from block 0."""
        parent, logs = "0x" + "00" * 32, []
        numbers = count()
        for log in self._logs():
            logs.append(log)
            if len(logs) == self.per_block:
                block = _sealed(next(numbers), parent, logs)
                parent, logs = block.ref.hash, []
                yield block
        if logs:
            yield _sealed(next(numbers), parent, logs)

    def _logs(self) -> Iterator[dict[str, Any]]:
        random = Random(self.seed)
        for account in range(1, self.accounts + 1):
            owner = f"0x{account:040x}"
            scope = {"underlying": 0, "expiry": 0}
            yield self._log(CLEARINGHOUSE, "AccountOpened", account=account, owner=owner, **scope)
            yield self._log(VAULT, "Deposited", account=account, amount=10**10, cash=10**4 * WAD)
        for number in range(self.trades):
            pair = random.sample(range(1, self.accounts + 1), 2)
            instrument, price = random.choice(INSTRUMENTS), random.randrange(1, 10**5) * 10**16
            quantity = random.randrange(1, 100) * 10**16
            for account, sign in zip(pair, (1, -1), strict=True):
                yield self._position(account, instrument, sign * quantity, price, random)
            yield self._fill(pair, price, random)
            if number % 1_000 == 0:
                yield self._log(ORACLE, "EpochPosted", number=number)

    def _position(self, account: int, instrument: int, quantity: int, price: int, random: Random) -> Any:
        return self._log(
            CLEARINGHOUSE,
            "PositionChanged",
            account=account,
            instrument=instrument,
            kind=CHANGE_FILL,
            quantity=quantity,
            price=price,
            cash=random.randrange(-(10**22), 10**22),
            counters=word(random.randrange(10**21), random.randrange(-(10**21), 10**21)),
        )

    def _fill(self, pair: Sequence[int], price: int, random: Random) -> Any:
        values = {"maker": pair[0], "taker": pair[1], "price": price, "fillNonce": random.randrange(2**40)}
        return self._log(EXCHANGE, "OrderFilled", self._seqs[CLEARINGHOUSE], **values)

    def _log(self, contract: str, event_name: str, seq: int = 0, **values: Any) -> dict[str, Any]:
        """One event; arguments that are not named are zero."""
        event = next(e for e in abi_codec.load(contract).events.values() if e.name == event_name)
        if not seq:
            seq = self._seqs[contract] = self._seqs.get(contract, 0) + 1
        values["seq"] = seq
        topics = [_encoded([kind], [_value(kind, values.get(name))]) for name, kind in event.indexed]
        kinds = [kind for _, kind in event.plain]
        data = _encoded(kinds, [_value(kind, values.get(name)) for name, kind in event.plain])
        return {"address": ADDRESSES[contract], "topics": [event.topic, *topics], "data": data}


def _sealed(number: int, parent: str, logs: Sequence[dict[str, Any]]) -> BlockLogs:
    ref = BlockRef(number, f"0x{number + 1:064x}", parent, 1_700_000_000 + 12 * number)
    placed = [
        {**log, "logIndex": hex(i), "blockHash": ref.hash, "transactionHash": _HASH + f"{i:02x}"}
        for i, log in enumerate(logs)
    ]
    return BlockLogs(ref, placed, True)


def _value(kind: str, value: Any) -> Any:
    if value is not None:
        return value
    return {"address": "0x" + "00" * 20, "bytes32": bytes(32), "bool": False}.get(kind, 0)


def _encoded(kinds: Sequence[str], values: Sequence[Any]) -> str:
    return "0x" + encode(kinds, values).hex()
