"""What flagging and bidding share: an auction as the chain has it, a keeper's claim as an argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    house = wallet.contract("AuctionHouse")
    outputs = house.get_function_by_name("auction").abi["outputs"][0]["components"]
    values = wallet.read("AuctionHouse", "auction", account)
    found = dict(zip((o["name"] for o in outputs), values, strict=True))
    if not found["epoch"]:
        return None
    return Auction(
        found["epoch"],
        found["insolvent"],
        found["initialMargin"],
        found["maintenanceMargin"],
        found["mark"],
    )


def latest_claim(keeper: KeeperClient, account: int) -> tuple[Any, ...]:
    """The account by the latest epoch that the keeper serves, and how its book came from there to now."""
    answer = keeper.claim(keeper.latest_epoch()["number"], account)
    try:
        return claim_tuple(answer)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Sentence(f"the keeper at {keeper.url} answers something else than a claim") from None


def claim_tuple(answer: Mapping[str, Any]) -> tuple[Any, ...]:
    """IAuctionHouse.Claim of the API's JSON; raises whatever a malformed one leads to."""
    bitmap, compact = answer["signatures"]
    leaf = answer["leaf"]
    if len(leaf) != 12:
        raise ValueError("a margin leaf has twelve fields")
    return (
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


def _numbers(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _hashes(values: Sequence[str]) -> list[bytes]:
    return [unhex(value) for value in values]
