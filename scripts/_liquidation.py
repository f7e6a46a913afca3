"""What flagging and bidding share: an auction as the chain has it, a keeper's claim as an argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import EncodingError

from keeper.liquidation.encoding import encode_claim
from scripts._trading import KeeperClient, unhex
from scripts._wallet import Sentence, Wallet, plain

_BYTES_OF_THE_LEAF = (3, 11)  # bookHash, breakdownHash


@dataclass(frozen=True)
class Auction:
    """A running auction. Margins and mark WAD."""

    epoch: int
    insolvent: bool
    initial_margin: int
    maintenance_margin: int
    mark: int

    @property
    def kind(self) -> str:
        return "insolvent" if self.insolvent else "solvent"

    def shown(self, account: int) -> dict[str, Any]:
        """For a machine."""
        return {
            "account": account,
            "auction": self.kind,
            "epoch": self.epoch,
            "initial_margin": plain(self.initial_margin),
            "maintenance_margin": plain(self.maintenance_margin),
            "mark": plain(self.mark),
        }


def auction_of(wallet: Wallet, account: int) -> Auction | None:
    """The auction of an account, if one is running."""
    wallet.require_account(account)
    found = wallet.struct("AuctionHouse", "auction", account)
    if not found["epoch"]:
        return None
    return Auction(
        found["epoch"],
        found["insolvent"],
        found["initialMargin"],
        found["maintenanceMargin"],
        found["mark"],
    )


def latest_claim(keeper: KeeperClient, account: int) -> bytes:
    """The account by the latest epoch that the keeper serves, and how its book came from there to now."""
    answer = keeper.claim(keeper.latest_epoch()["number"], account)
    try:
        return claim_bytes(answer)
    except (KeyError, TypeError, ValueError, AttributeError, EncodingError):
        raise Sentence(f"the keeper at {keeper.url} answers something else than a claim") from None


def claim_bytes(answer: Mapping[str, Any]) -> bytes:
    """IAuctionHouse.Claim, encoded, of the API's JSON; raises whatever a malformed one leads to."""
    bitmap, compact = answer["signatures"]
    leaf = answer["leaf"]
    if len(leaf) != 12:
        raise ValueError("a margin leaf has twelve fields")
    values = (
        _numbers(answer["instruments"]),
        int(answer["way"]),
        tuple(unhex(v) if i in _BYTES_OF_THE_LEAF else int(v) for i, v in enumerate(leaf)),
        _hashes(answer["path"]),
        int(answer["epoch"]),
        int(answer["deadline"]),
        (int(bitmap), [(unhex(r), int(vs)) for r, vs in compact]),
        [_numbers(change) for change in answer["changes"]],
        [_numbers(unit) for unit in answer["units"]],
        [_hashes(path) for path in answer["unitPaths"]],
    )
    return encode_claim(values)


def _numbers(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _hashes(values: Sequence[str]) -> list[bytes]:
    return [unhex(value) for value in values]
