"""Orders, evidence and statements as contract arguments; leaves and reports come from a keeper over HTTP.

Cash, prices and quantities are WAD integers. Wallet scripts and the demo build here what they pass to
`Exchange.fill` and `Clearinghouse.withdraw`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from keeper.exchange.order import Order
from keeper.units.constants import (
    WAD,
    WAY_HEADROOM,
    WAY_LEAF,
    WAY_REDUCE_REPORT,
    WAY_REPORT,
    WAY_WORST_CASE,
)

WAYS = {
    "headroom": WAY_HEADROOM,
    "leaf": WAY_LEAF,
    "report": WAY_REPORT,
    "worst-case": WAY_WORST_CASE,
    "reduce-report": WAY_REDUCE_REPORT,
}
REPORT_WAYS = (WAY_REPORT, WAY_REDUCE_REPORT)
_HASHES = ("bookHash", "breakdownHash")
_NO_HASH = bytes(32)
NO_LEAF = (0, 0, 0, _NO_HASH, 0, 0, 0, 0, 0, 0, 0, _NO_HASH)
NO_INSTRUMENT = (0, 0, 0, 0, 0, 0)
NO_SIGNATURES = (0, ())
NO_EVIDENCE = (WAY_HEADROOM, (), NO_LEAF, ())
Tuple = tuple[Any, ...]


class KeeperError(RuntimeError):
    """A keeper does not answer, or refuses; the text is its reason."""


class KeeperClient:
    """Reads of one keeper's API."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout

    def live(self) -> None:
        """KeeperError unless it answers."""
        self._ask("GET", "/live")

    def status(self) -> dict[str, Any]:
        """What the process says about itself."""
        return self._ask("GET", "/status")

    def latest_epoch(self) -> dict[str, Any]:
        """The latest epoch that this keeper serves."""
        return self._ask("GET", "/v1/epochs/latest")

    def account(self, epoch: int, account: int) -> dict[str, Any]:
        """An account's leaf in an epoch, its proof and breakdown."""
        return self._ask("GET", f"/v1/epochs/{epoch}/accounts/{account}")

    def instrument(self, epoch: int, instrument: int) -> dict[str, Any]:
        """An instrument's leaf in an epoch and its proof."""
        return self._ask("GET", f"/v1/epochs/{epoch}/instruments/{instrument}")

    def report(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Signed margins after an action."""
        return self._ask("POST", "/v1/reports", {"action": dict(action)})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = httpx.request(method, self.url + path, json=body, timeout=self._timeout)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise KeeperError(f"no keeper answers at {self.url}") from None
        try:
            answer: dict[str, Any] = response.json()
        except ValueError:
            raise KeeperError(f"what answers at {self.url} is no keeper") from None
        if response.status_code != 200:
            raise KeeperError(f"the keeper refuses: {answer.get('detail', response.status_code)}")
        return answer


@dataclass(frozen=True)
class Statement:
    """What all accounts of one transaction share; `tuple()` is the contract's struct."""

    epoch: int = 0
    deadline: int = 0
    signatures: Tuple = NO_SIGNATURES
    instrument: Tuple = NO_INSTRUMENT
    proof: tuple[bytes, ...] = ()

    def tuple(self) -> Tuple:
        return (self.epoch, self.deadline, self.signatures, self.instrument, self.proof)


def margin_tuple(leaf: Mapping[str, Any]) -> Tuple:
    """A margin leaf of the API as a contract argument."""
    return tuple(unhex(v) if name in _HASHES else int(v) for name, v in leaf.items())


def unhex(text: str) -> bytes:
    """Bytes of a 0x text."""
    return bytes.fromhex(text.removeprefix("0x"))


def leaf_evidence(answer: Mapping[str, Any], before: Sequence[int]) -> Tuple:
    """WAY_LEAF. `before`: the account's whole book, ascending."""
    return (WAY_LEAF, tuple(before), margin_tuple(answer["leaf"]), tuple(map(unhex, answer["proof"])))


def worst_case_evidence(after: Sequence[int]) -> Tuple:
    """WAY_WORST_CASE. `after`: the whole book after the action, ascending."""
    return (WAY_WORST_CASE, tuple(after), NO_LEAF, ())


def report_evidence(answer: Mapping[str, Any], party: int, way: int = WAY_REPORT) -> Tuple:
    """WAY_REPORT or WAY_REDUCE_REPORT of the `party`-th reported account."""
    after = tuple(int(i) for i in answer["instruments"][party])
    return (way, after, margin_tuple(answer["margins"][party]), ())


def with_instrument(answer: Mapping[str, Any]) -> Statement:
    """A statement that shows the traded instrument's leaf."""
    leaf = tuple(int(v) for v in answer["leaf"].values())
    return Statement(answer["epoch"], 0, NO_SIGNATURES, leaf, tuple(map(unhex, answer["proof"])))


def with_reports(answer: Mapping[str, Any], shown: Statement | None = None) -> Statement:
    """A statement with a quorum's signatures, beside the instrument's leaf if one is shown."""
    signed = answer["signatures"]
    compact = tuple((unhex(s["r"]), int(s["vs"])) for s in signed["compact"])
    shown = shown or Statement()
    signatures = (int(signed["bitmap"]), compact)
    return Statement(answer["epoch"], answer["deadline"], signatures, shown.instrument, shown.proof)


def order_message(order: Order) -> dict[str, Any]:
    """An order as the keeper's API takes it."""
    return {
        "account": str(order.account),
        "legs": [{"instrument": str(leg.instrument), "quantity": str(leg.quantity)} for leg in order.legs],
        "units": str(order.units),
        "limit": str(order.limit),
        "max_fee": str(order.max_fee),
        "nonce": str(order.nonce),
        "expiry": str(order.expiry),
        "taker": order.taker,
        "flags": order.flags,
    }


def fill_action(
    maker: Order, taker: Order, units: int, price: int, fill_nonce: int, parties: Sequence[str], counted: bool
) -> dict[str, Any]:
    """What a report on a fill is asked with. `parties`: the sides that pass by report, maker first."""
    return {
        "kind": "fill",
        "maker": order_message(maker),
        "taker": order_message(taker),
        "units": str(units),
        "price": str(price),
        "fill_nonce": str(fill_nonce),
        "parties": list(parties),
        "counted": counted,
    }


def book_after(before: Mapping[int, int], instrument: int, quantity: int) -> list[int]:
    """Instruments held after a trade, ascending."""
    after = {**before, instrument: before.get(instrument, 0) + quantity}
    return sorted(i for i, q in after.items() if q)


def cash_of(quantity: int, price: int) -> int:
    """quantity * price, exact: both are multiples of 1e-8."""
    return quantity * price // WAD
