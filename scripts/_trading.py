"""Orders, evidence and statements as contract arguments; leaves and reports come from a keeper over HTTP.

Cash, prices and quantities are WAD integers. Wallet scripts and the demo build here what they pass to
`Exchange.fill` and `Clearinghouse.withdraw`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from keeper.attestation.evidence import (
    NO_SIGNATURES,
    NO_STATEMENT,
    Evidence,
    Signatures,
    encode_evidence,
    encode_statement,
)
from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf
from keeper.exchange.order import Leg, Order
from keeper.units.constants import WAY_LEAF, WAY_REPORT, WAY_WORST_CASE

_HASHES = ("bookHash", "breakdownHash")


class KeeperError(RuntimeError):
    """A keeper does not answer, or refuses; the text is its reason."""


class KeeperClient:
    """Reads of one keeper's API."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(timeout=timeout)

    def live(self) -> None:
        """KeeperError unless it answers."""
        self._ask("GET", "/live")

    def status(self) -> dict[str, Any]:
        """What the process says about itself."""
        return self._ask("GET", "/status")

    def latest_epoch(self) -> dict[str, Any]:
        """The latest epoch that this keeper serves."""
        return self._ask("GET", "/v1/epochs/latest")

    def epoch(self, number: int) -> dict[str, Any]:
        """One epoch that this keeper serves."""
        return self._ask("GET", f"/v1/epochs/{number}")

    def margins(self, epoch: int) -> list[dict[str, Any]]:
        """The margin leaves of all accounts in an epoch."""
        found: list[dict[str, Any]] = []
        offset: int | None = 0
        while offset is not None:
            page = self._ask("GET", f"/v1/epochs/{epoch}/leaves/margins?offset={offset}")
            found += [dict(zip(page["fields"], row, strict=True)) for row in page["rows"]]
            offset = page["next"]
        return found

    def account(self, epoch: int, account: int) -> dict[str, Any]:
        """An account's leaf in an epoch, its proof and breakdown."""
        return self._ask("GET", f"/v1/epochs/{epoch}/accounts/{account}")

    def state(self, account: int) -> dict[str, Any]:
        """An account as the chain has it now."""
        return self._ask("GET", f"/v1/accounts/{account}")

    def instrument(self, epoch: int, instrument: int) -> dict[str, Any]:
        """An instrument's leaf in an epoch and its proof."""
        return self._ask("GET", f"/v1/epochs/{epoch}/instruments/{instrument}")

    def claim(self, epoch: int, account: int) -> dict[str, Any]:
        """An account's leaf in an epoch and every change of its book since: IAuctionHouse.Claim."""
        return self._ask("GET", f"/v1/epochs/{epoch}/accounts/{account}/claim")

    def report(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Signed margins after an action."""
        return self._ask("POST", "/v1/reports", {"action": dict(action)})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, self.url + path, json=body)
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
    """What all accounts of one transaction share; `encoded()` is the contracts' argument."""

    epoch: int = 0
    deadline: int = 0
    signatures: Signatures = NO_SIGNATURES
    instruments: tuple[InstrumentLeaf, ...] = ()
    paths: tuple[tuple[bytes, ...], ...] = ()

    def encoded(self) -> bytes:
        """Its bytes; none where nothing is shared."""
        if self == Statement():
            return NO_STATEMENT
        return encode_statement(self.epoch, self.deadline, self.signatures, self.instruments, self.paths)


def margin_leaf(leaf: Mapping[str, Any]) -> MarginLeaf:
    """A margin leaf of the API."""
    fields: list[Any] = [unhex(v) if name in _HASHES else int(v) for name, v in leaf.items()]
    return MarginLeaf(*fields)


def unhex(text: str) -> bytes:
    """Bytes of a 0x text."""
    return bytes.fromhex(text.removeprefix("0x"))


def leaf_evidence(answer: Mapping[str, Any], after: Sequence[int]) -> Evidence:
    """WAY_LEAF. `after`: the account's whole book after the action, ascending."""
    return encode_evidence(WAY_LEAF, after, margin_leaf(answer["leaf"]), [*map(unhex, answer["proof"])])


def worst_case_evidence(after: Sequence[int]) -> Evidence:
    """WAY_WORST_CASE. `after`: the whole book after the action, ascending."""
    return encode_evidence(WAY_WORST_CASE, after)


def report_evidence(answer: Mapping[str, Any], party: int, way: int = WAY_REPORT) -> Evidence:
    """WAY_REPORT, or `way` WAY_REDUCE_REPORT, of the `party`-th reported account."""
    after = [int(i) for i in answer["instruments"][party]]
    return encode_evidence(way, after, margin_leaf(answer["margins"][party]))


def with_instruments(*answers: Mapping[str, Any]) -> Statement:
    """A statement that shows the leaf of every traded instrument: one epoch's, in the order of the legs."""
    leaves = tuple(InstrumentLeaf(*map(int, answer["leaf"].values())) for answer in answers)
    paths = tuple(tuple(map(unhex, answer["proof"])) for answer in answers)
    return Statement(answers[0]["epoch"], 0, NO_SIGNATURES, leaves, paths)


def with_reports(answer: Mapping[str, Any], shown: Statement | None = None) -> Statement:
    """A statement with a quorum's signatures, beside the instruments' leaves if they are shown."""
    signed = answer["signatures"]
    compact = tuple((unhex(s["r"]), int(s["vs"])) for s in signed["compact"])
    shown = shown or Statement()
    signatures = (int(signed["bitmap"]), compact)
    return Statement(answer["epoch"], answer["deadline"], signatures, shown.instruments, shown.paths)


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
        "matcher": order.matcher,
        "flags": order.flags,
    }


def fill_action(
    maker: Order,
    taker: Order,
    units: int,
    price: int,
    fill_nonce: int,
    parties: Sequence[str],
    counted: bool,
    prices: Sequence[int] = (),
) -> dict[str, Any]:
    """What a report on a fill is asked with.

    Args:
        maker: the order that pays `price`.
        taker: the mirrored one.
        units: filled.
        price: cash the maker pays per unit.
        fill_nonce: tells equal fills apart.
        parties: the sides that pass by report, maker first.
        counted: whether the transaction shows the leaves of all its instruments.
        prices: of one whole instrument per leg; of a single leg it follows from `price`.
    """
    return {
        "kind": "fill",
        "maker": order_message(maker),
        "taker": order_message(taker),
        "units": str(units),
        "price": str(price),
        "prices": [str(one) for one in prices],
        "fill_nonce": str(fill_nonce),
        "parties": list(parties),
        "counted": counted,
    }


def book_after(before: Mapping[int, int], legs: Sequence[Leg], units: int = 1) -> list[int]:
    """Instruments held after `units` of an order, ascending."""
    after = dict(before)
    for leg in legs:
        after[leg.instrument] = after.get(leg.instrument, 0) + leg.quantity * units
    return sorted(i for i, q in after.items() if q)
