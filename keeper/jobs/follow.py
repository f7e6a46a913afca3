"""Epochs for a keeper that neither proposes nor signs them, from any other keeper's API. Who gave them need
not be trusted: what is kept has the roots that the chain has taken.

First the inputs are asked for, which are small: with the accounts of the own index everything else is
computed here. Where that gives other roots (another methodology, say) the published leaves are taken as they
are: they are enough to prove, to claim and to flag.
"""

from collections.abc import Mapping
from typing import Any

import httpx
from eth_abi.exceptions import EncodingError

from keeper.attestation.epoch import EpochStatement, build, spots_hash
from keeper.attestation.leaves import Leaves
from keeper.attestation.snapshot import Snapshot
from keeper.attestation.typed_data import Epoch
from keeper.chain.contracts import ORACLE
from keeper.jobs.desk import Desk
from keeper.jobs.differences import FORWARDS, INSTRUMENTS, MARGINS
from keeper.jobs.observe import ChainView
from keeper.network.client import get_text
from keeper.network.leaf_reader import LeafReader
from keeper.network.schemas import hex_text
from keeper.network.server import Unavailable
from keeper.observability.logs import logger

_POSTED_SHIFT = 64
_INPUT_BYTES = 4 * 1024 * 1024
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, OverflowError, EncodingError)


class Follower:
    """Keeps the latest epoch at hand."""

    def __init__(self, desk: Desk, keepers: tuple[str, ...]) -> None:
        """`keepers`: addresses of their APIs, asked in order."""
        self._desk = desk
        self._keepers = keepers

    def tick(self, view: ChainView) -> bool:
        """Whether an epoch was fetched. Raises Unavailable, naming why, when nobody gave the right one."""
        number = view.header.number
        if number == 0 or self._desk.statements.get(number) is not None:
            return False
        epoch, problems = self._posted(view), []
        for way in (self._compute, self._adopt):
            for url in self._keepers:
                try:
                    way(url, epoch, view)
                except _FAILURES as error:
                    problems.append(f"{url}: {str(error) or type(error).__name__}")
                    continue
                logger("follow").info("epoch", number=number, source=url)
                return True
        raise Unavailable(f"epoch {number} is not known here: {'; '.join(problems) or 'no keeper to ask'}")

    def _posted(self, view: ChainView) -> Mapping[str, Any]:
        """What the chain says of its latest epoch: the event's arguments."""
        found = self._desk.index.last_event(ORACLE, "EpochPosted", view.block.number)
        if found is None or found.payload["number"] != view.header.number:
            raise Unavailable(f"epoch {view.header.number} is not in the index yet")
        return found.payload

    def _compute(self, url: str, posted: Mapping[str, Any], _view: ChainView) -> None:
        """From its inputs and our accounts. Raises ValueError where the roots are not the chain's."""
        number = posted["number"]
        text = get_text(f"{url}/v1/epochs/{number}/inputs", limit=_INPUT_BYTES)
        snapshot = self._desk.statements.completed(Snapshot.from_json(text))
        if snapshot is None:
            raise ValueError("its block is not in the index")
        statement = build(snapshot, self._desk.methodology, number)
        _require_roots(statement, posted)
        if hex_text(statement.epoch.snapshot_hash) != posted["snapshotHash"]:
            raise ValueError("snapshotHash is not that of the epoch on the chain")
        self._desk.statements.keep(snapshot, statement)

    def _adopt(self, url: str, posted: Mapping[str, Any], view: ChainView) -> None:
        """By its leaves. Raises ValueError where the roots are not the chain's."""
        reader, epoch = LeafReader((url,), path="/v1/epochs"), _epoch_of(posted, view)
        statement = EpochStatement(
            epoch=epoch,
            spots=_spots(view),
            margins=Leaves.of(reader.leaves(epoch.number, MARGINS, epoch.margin_root)),
            instruments=reader.leaves(epoch.number, INSTRUMENTS, epoch.market_root),
            forwards=reader.leaves(epoch.number, FORWARDS, epoch.market_root),
        )
        _require_roots(statement, posted)
        self._desk.statements.adopt(statement)


def _require_roots(statement: EpochStatement, posted: Mapping[str, Any]) -> None:
    """ValueError unless the chain has taken these very leaves."""
    for name, tree in (("marketRoot", statement.market_tree), ("marginRoot", statement.margin_tree)):
        if hex_text(tree.root) != posted[name]:
            raise ValueError(f"{name} is not that of the epoch on the chain")


def _epoch_of(posted: Mapping[str, Any], view: ChainView) -> Epoch:
    """The latest epoch as far as the chain states it: its block's hash and its methodology are not there."""
    return Epoch(
        number=posted["number"],
        timestamp=view.header.timestamp,
        block_number=view.header.block_number,
        block_hash=bytes(32),
        snapshot_hash=bytes.fromhex(posted["snapshotHash"][2:]),
        methodology_hash=bytes(32),
        market_root=bytes.fromhex(posted["marketRoot"][2:]),
        margin_root=bytes.fromhex(posted["marginRoot"][2:]),
        spots_hash=spots_hash(_spots(view)),
    )


def _spots(view: ChainView) -> tuple[int, ...]:
    return tuple(spot.posted << _POSTED_SHIFT | spot.effective for spot in view.spots)
