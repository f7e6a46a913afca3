"""Every change of every book, from the events alone: what a flag replays from a leaf to the present."""

from typing import Any

from keeper.clearing import book_hash as hashes
from keeper.clearing.ledger import Ledger
from keeper.liquidation.claim import Change
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import CHANGE_AUCTION, CHANGE_PURCHASE, CHANGE_SETTLEMENT, WAD
from tests.stateful.world import World


class Changes:
    """By account: (book hash before, change), in order."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self.world, self.ledger = world, ledger
        self.tokens = {coin.address.lower(): i for i, coin in enumerate(world.contracts.coins, start=1)}
        self.links: dict[int, list[tuple[bytes, Change]]] = {}
        self.heads: dict[int, bytes] = {}

    def open(self, number: int) -> None:
        self.links[number], self.heads[number] = [], hashes.EMPTY

    def note(self) -> None:
        """Read the last call's logs, before the model follows."""
        clearing, vault = self.world.clearing, self.world.vault
        for event in vault.events("CollateralChanged"):
            token = self.tokens[event["token"].lower()]
            self._add(event["account"], Change(event["kind"], token, event["change"], 0))
        for event in clearing.events("PositionChanged"):
            change = Change(event["kind"], event["instrument"], event["quantity"], event["price"])
            self._add(event["account"], change)
        for event in clearing.events("AccountSettled"):
            held = self.ledger.accounts[event["account"]].positions
            paid = [(word >> 128, word & 2**128 - 1) for word in event["words"]]
            received = sum(held[instrument] * unit // WAD for instrument, unit in paid)
            latest = Instrument(0, event["until"], 0, Kind.PERP).pack()
            self._add(event["account"], Change(CHANGE_SETTLEMENT, latest, -received, WAD))
        for event in clearing.events("ShareTransferred"):
            self._shared(event)

    def since(self, number: int, then: bytes) -> list[Change] | None:
        """Changes from a book hash to now; None where it never was the account's."""
        if then == self.heads[number]:
            return []
        links = self.links[number]
        starts = [i for i, (before, _) in enumerate(links) if before == then]
        return [change for _, change in links[starts[-1] :]] if starts else None

    def _shared(self, event: dict[str, Any]) -> None:
        fraction = event["fraction"]
        self._add(event["seller"], Change(CHANGE_AUCTION, 0, -fraction, 0))
        self._add(event["buyer"], Change(CHANGE_PURCHASE, 0, fraction, event["seller"]))

    def _add(self, number: int, change: Change) -> None:
        before = self.heads[number]
        self.links[number].append((before, change))
        self.heads[number] = hashes.fold(
            before, change.kind, change.instrument, change.quantity, change.price
        )
