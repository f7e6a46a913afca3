"""The protocol on a fast chain, and everything that callers and attesters put together off-chain.

`World` drives the real contracts. It keeps no opinion about what should happen: that is the model's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eth_utils.crypto import keccak

from keeper.clearing.account import Account, InstrumentMargin
from keeper.markets.instrument import Instrument, Kind
from tests.stateful import margins, typed
from tests.stateful.deployment import ATTESTERS, METHODOLOGY, THRESHOLD, Deployment, deploy
from tests.stateful.margins import Market

HEADROOM, LEAF, REPORT, WORST_CASE, REDUCE_REPORT, REDUCE_AT_MARK = range(6)
REPORT_WAYS = (REPORT, REDUCE_REPORT)
WAD = 10**18
PRICE_UNIT = 10**10
DEADLINE_SECONDS = 600
MARGINAL = WAD
MAX_ADDED_IM = 10**9 * WAD
NO_LEAF: typed.Struct = {
    field: bytes(32) if kind == "bytes32" else 0 for kind, field in typed.members("MarginLeaf")
}
NO_INSTRUMENT: typed.Struct = {field: 0 for _, field in typed.members("InstrumentLeaf")}


@dataclass(frozen=True)
class EpochBook:
    """One epoch as its attesters published it."""

    header: typed.Struct
    words: tuple[int, ...]
    market: Market
    margins: Mapping[int, typed.Struct]
    instruments: Mapping[int, typed.Struct]
    margin_rows: list[list[bytes]]
    market_rows: list[list[bytes]]

    @property
    def number(self) -> int:
        return int(self.header["number"])

    def margin_proof(self, account: int) -> list[bytes]:
        one = typed.leaf(typed.struct_hash("MarginLeaf", self.margins[account]))
        return [*typed.proof(self.margin_rows, one), self.market_rows[-1][0]]

    def instrument_proof(self, instrument: int) -> list[bytes]:
        one = typed.leaf(typed.struct_hash("InstrumentLeaf", self.instruments[instrument]))
        return [*typed.proof(self.market_rows, one), self.margin_rows[-1][0]]

    def instrument_margin(self, instrument: int) -> InstrumentMargin:
        leaf = self.instruments[instrument]
        return InstrumentMargin(leaf["mark"], leaf["imLong"], leaf["imShort"])


@dataclass(frozen=True)
class Side:
    """One side of a fill as its account presents it; `leaf` and `proof` only where the way needs them."""

    account: int
    way: int
    instruments: Sequence[int] = ()
    leaf: typed.Struct | None = None
    proof: Sequence[bytes] = ()

    def evidence(self) -> tuple[Any, ...]:
        leaf = typed.values("MarginLeaf", self.leaf or NO_LEAF)
        return self.way, list(self.instruments), leaf, list(self.proof)


class World:
    """The contracts, the clock, the attesters and the owners' keys."""

    def __init__(self, deployment: Deployment | None = None) -> None:
        self.contracts = deployment or deploy()
        self.chain = self.contracts.chain
        self.clearing = self.contracts.clearinghouse
        self.epoch: EpochBook | None = None
        self.owners: dict[int, Any] = {}
        self.nonces: dict[int, int] = {}
        self.fills = 0

    # Accounts and tokens

    def open_account(self, owner_key: int) -> int:
        secret = typed.key(owner_key)
        account = int(self.clearing.open_account(typed.address(secret), sender=typed.address(secret)))
        self.owners[account] = secret
        return account

    def owner(self, account: int) -> str:
        return typed.address(self.owners[account])

    def deposit(self, account: int, amount: int) -> str:
        token, owner = self.contracts.token, self.owner(account)
        token.mint(owner, amount)
        token.approve(self.clearing.address, amount, sender=owner)
        return str(self.clearing.attempt("deposit", account, token.address, amount, sender=owner))

    # Epochs

    def market(self, words: Sequence[int]) -> Market:
        """Market at the effective spots of packed words, forwards as the chain has them inside a
        settlement window.
        """
        spots = {i + 1: word & 2**64 - 1 for i, word in enumerate(words)}
        forwards = {
            (i.underlying, i.expiry): self._forward(i, spots[i.underlying])
            for i in map(Instrument.unpack, self.contracts.instruments)
            if i.kind != Kind.PERP
        }
        return Market(spots, forwards)

    def propose(self, number: int, words: Sequence[int], books: Mapping[int, Account]) -> EpochBook:
        """What attesters compute on the state now: `words` are posted << 64 | effective, 1e-8 USD."""
        market = self.market(words)
        leaves = {a: margin_leaf(a, account, market) for a, account in books.items()}
        instruments = {i: instrument_leaf(i, market) for i in self.contracts.instruments}
        margin_rows = typed.levels([_leaf_of("MarginLeaf", leaf) for leaf in leaves.values()])
        market_rows = typed.levels([_leaf_of("InstrumentLeaf", leaf) for leaf in instruments.values()])
        header = {
            "number": number,
            "timestamp": self.chain.timestamp,
            "blockNumber": self.chain.block - 1,
            "blockHash": self.chain.block_hash(self.chain.block - 1),
            "snapshotHash": keccak(text=f"snapshot {number}"),
            "methodologyHash": METHODOLOGY,
            "marketRoot": market_rows[-1][0],
            "marginRoot": margin_rows[-1][0],
            "spotsHash": keccak(b"".join(word.to_bytes(32, "big") for word in words)),
        }
        return EpochBook(header, tuple(words), market, leaves, instruments, margin_rows, market_rows)

    def publish(self, epoch: EpochBook) -> str:
        """Post a signed epoch; it becomes `self.epoch` when accepted."""
        signatures = self.signed(typed.struct_hash("Epoch", epoch.header))
        header = typed.values("Epoch", epoch.header)
        reason = str(self.contracts.oracle.attempt("post_epoch", header, list(epoch.words), signatures))
        if not reason:
            self.epoch = epoch
        return reason

    def signed(self, struct_hash: bytes, signers: Sequence[int] = tuple(range(THRESHOLD))) -> tuple[Any, ...]:
        """Quorum signatures over a struct hash, by attesters in ascending order."""
        separator = typed.domain_separator(self.chain.chain_id, self.contracts.quorum.address)
        digest = typed.digest(separator, struct_hash)
        bitmap = sum(1 << i for i in signers)
        return bitmap, [typed.sign(ATTESTERS[i], digest) for i in sorted(signers)]

    # Evidence

    def statement(
        self, action: bytes, sides: Iterable[Side], instrument: int | None, **changes: Any
    ) -> tuple[Any, ...]:
        """What the sides share: one signature set over the reports, and the instrument's leaf if asked
        for.
        """
        assert self.epoch is not None
        deadline = self.chain.timestamp + DEADLINE_SECONDS
        number = changes.get("epoch", self.epoch.number)
        reports = [
            {"epoch": number, "action": action, "margin": side.leaf, "deadline": deadline}
            for side in sides
            if side.way in REPORT_WAYS
        ]
        signatures = self.signed(typed.struct_hash("Reports", {"reports": reports})) if reports else (0, [])
        leaf = self.epoch.instruments[instrument] if instrument is not None else NO_INSTRUMENT
        proof = self.epoch.instrument_proof(instrument) if instrument is not None else []
        return number, deadline, signatures, typed.values("InstrumentLeaf", leaf), proof

    def no_statement(self) -> tuple[Any, ...]:
        """A statement that states nothing, for ways without attesters."""
        return 0, 0, (0, []), typed.values("InstrumentLeaf", NO_INSTRUMENT), []

    # Orders

    def order(self, account: int, instrument: int, quantity: int, cash: int, **changes: Any) -> typed.Struct:
        """An order of one unit: `quantity` signed, `cash` the most it pays."""
        nonce = self.nonces.get(account, 0)
        self.nonces[account] = nonce + 1
        order = {
            "account": account,
            "legs": [{"instrument": instrument, "quantity": quantity}],
            "units": 1,
            "limit": cash,
            "maxFee": 2**200,
            "nonce": nonce // 256 << 8 | nonce % 256,
            "expiry": self.chain.timestamp + DEADLINE_SECONDS,
            "taker": "0x" + "00" * 20,
            "flags": 0,
        }
        return order | changes

    def sign_order(self, order: typed.Struct) -> tuple[bytes, int]:
        separator = typed.domain_separator(self.chain.chain_id, self.contracts.exchange.address)
        digest = typed.digest(separator, typed.struct_hash("Order", order))
        return typed.sign(self.owners[order["account"]], digest)

    def fill(self, orders: "Orders", sides: Sequence[Side], statement: tuple[Any, ...]) -> str:
        """Bring two orders to the exchange; the reason of a refusal, else empty."""
        return str(
            self.contracts.exchange.attempt(
                "fill",
                order_values(orders.maker),
                self.sign_order(orders.maker),
                order_values(orders.taker),
                self.sign_order(orders.taker),
                orders.units,
                orders.price,
                orders.fill_nonce,
                sides[0].evidence(),
                sides[1].evidence(),
                statement,
            )
        )

    # Withdrawals

    def withdrawal_action(self, account: int, amount: int, nonce: int) -> bytes:
        withdrawal = {
            "account": account,
            "token": self.contracts.token.address,
            "amount": amount,
            "recipient": self.owner(account),
            "nonce": nonce,
        }
        return typed.struct_hash("Withdrawal", withdrawal)

    def withdraw(self, side: Side, amount: int, statement: tuple[Any, ...]) -> str:
        owner = self.owner(side.account)
        arguments = (side.account, self.contracts.token.address, amount, owner, side.evidence(), statement)
        return str(self.clearing.attempt("withdraw", *arguments, sender=owner))

    def gate_value(self, positions: Mapping[int, int]) -> Any:
        """The gate's valuation of a book."""
        words = [i << 128 | q & 2**128 - 1 for i, q in sorted(positions.items())]
        return self.contracts.gate.value(words)

    def fee(self, taker: bool, instrument: int, quantity: int) -> int:
        """Fee of one side, WAD, rounded up."""
        rate = self.contracts.fee_rates[taker]
        spot = self.contracts.oracle.spot(instrument >> 112).effective * PRICE_UNIT
        return -(-rate * abs(quantity) * spot // WAD**2)

    def _forward(self, instrument: Instrument, spot: int) -> int:
        """Forward: the part of the settlement average that is fixed, the spot for the rest."""
        fixed, covered = self.contracts.oracle.settlement_window(instrument.underlying, instrument.expiry)
        return int(fixed // 2 + spot * (1_800 - min(covered, 1_800))) // 1_800


@dataclass(frozen=True)
class Orders:
    """Two mirrored orders and how much of them is filled."""

    maker: typed.Struct
    taker: typed.Struct
    price: int  # cash the maker pays per unit
    units: int = 1
    fill_nonce: int = 0

    def action(self) -> bytes:
        fill = {
            "makerHash": typed.struct_hash("Order", self.maker),
            "takerHash": typed.struct_hash("Order", self.taker),
            "quantity": self.units,
            "price": self.price,
            "fillNonce": self.fill_nonce,
        }
        return typed.struct_hash("Fill", fill)

    def with_nonce(self, fill_nonce: int) -> "Orders":
        return replace(self, fill_nonce=fill_nonce)


def order_values(order: typed.Struct) -> tuple[Any, ...]:
    """The order as an ABI tuple."""
    legs = [typed.values("Leg", leg) for leg in order["legs"]]
    return typed.values("Order", order | {"legs": legs})


def margin_leaf(number: int, account: Account, market: Market) -> typed.Struct:
    """What honest attesters state about an account."""
    margin = margins.book_margin(account.positions, market)
    return NO_LEAF | {
        "account": number,
        "addedIM": account.added_im,
        "addedMark": account.added_mark,
        "bookHash": account.book_hash,
        "markToMarket": margin.mark,
        "initialMargin": margin.initial,
        "maintenanceMargin": margin.maintenance,
        "markPosted": margin.mark,
        "maintenancePosted": margin.maintenance,
        "marginal": MARGINAL,
        "maxAddedIM": MAX_ADDED_IM,
    }


def instrument_leaf(packed: int, market: Market) -> typed.Struct:
    """What honest attesters state about an instrument."""
    instrument = Instrument.unpack(packed)
    long, short = margins.unit_margins(instrument, market)
    return {
        "instrument": packed,
        "mark": margins.mark(instrument, market),
        "imLong": long,
        "mmLong": long * 4 // 5,
        "imShort": short,
        "mmShort": short * 4 // 5,
    }


def _leaf_of(name: str, value: typed.Struct) -> bytes:
    return typed.leaf(typed.struct_hash(name, value))
