"""Reads of what has to be renewed: funding rates and noted debts, at one block. Times are unix seconds."""

from collections.abc import Sequence

from keeper.chain.contracts import COLLATERAL_SALE, FUNDING, Call, Protocol
from keeper.liquidation.debts import Debt


class UpkeepReader:
    """Typed reads; `at` is a block hash (0x text)."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def funding_epochs(self, at: str, underlyings: Sequence[int]) -> dict[int, int]:
        """Number of the epoch of the last update, of the underlyings whose perps pay funding."""
        if FUNDING not in self._protocol.deployment.addresses:
            return {}
        terms = self._protocol.structs(at, [Call(FUNDING, "terms", (u,)) for u in underlyings])
        paying = [u for u, found in zip(underlyings, terms, strict=True) if any(found.values())]
        last = self._protocol.read_all(at, [Call(FUNDING, "last_epoch", (u,)) for u in paying])
        return dict(zip(paying, last, strict=True))

    def debts(self, at: str, accounts: Sequence[int]) -> dict[int, Debt]:
        """What accounts owed at their last notes."""
        found = self._protocol.structs(at, [Call(COLLATERAL_SALE, "debt", (a,)) for a in accounts])
        return {a: Debt(**fields) for a, fields in zip(accounts, found, strict=True)}
