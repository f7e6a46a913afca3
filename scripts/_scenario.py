"""Transactions whose gas is kept on record, in one run on a fresh devnet: the same keys, clock and blocks.

The attesters' statements are made here, with a margin simple enough to read: gas depends on their shape and
on the size of the books, not on the numbers. Signatures are 3 of 5; both Merkle trees have 256 leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3
from web3.types import TxParams, TxReceipt

from keeper.attestation.epoch import spots_hash
from keeper.attestation.evidence import (
    NO_EVIDENCE,
    NO_STATEMENT,
    Evidence,
    encode_evidence,
    encode_statement,
)
from keeper.attestation.merkle import Tree
from keeper.attestation.typed_data import (
    Epoch,
    InstrumentLeaf,
    MarginLeaf,
    Report,
    Withdrawal,
    digest,
    domain_separator,
    leaf,
    reports_hash,
    sign,
)
from keeper.clearing.book_hash import fold
from keeper.exchange.order import Fill, Leg, Order, fill_arguments, nonce_of, signature_bytes
from keeper.liquidation.encoding import encode_claim
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import (
    CHANGE_UNCOUNTED_FILL,
    PRICE_UNIT,
    WAD,
    WAY_LEAF,
    WAY_REPORT,
    WAY_WORST_CASE,
)
from scripts._devnet import Devnet
from scripts._protocol import BTC, ETH, USD8, Deployment, Underlying
from scripts._web3_backend import Web3Backend

GENESIS = 1_743_465_600  # 1 April 2025, a multiple of 300
SENDER_KEY = keccak(text="plimsoll gas figures: sender")
ATTESTER_KEYS = tuple(keccak(text=f"plimsoll gas figures: attester {i}") for i in range(5))
SIGNERS = (0, 2, 4)
METHODOLOGY = keccak(text="plimsoll gas figures: methodology")
SOL = Underlying("SOL", WAD, WAD // 1_000, WAD // 50, WAD // 5, 120 * USD8, (200, 500, 1_000))
UNDERLYINGS = (ETH, BTC, SOL)
# they outlast everything measured before settlement
EXPIRIES = tuple(GENESIS + days * 86_400 for days in range(30, 38))
STRIKES = tuple(range(1_500, 2_300, 100))
GRID = (1_000 * USD8, 3_000 * USD8, 100 * USD8)
TREE_LEAVES = 256
UNIT_MARGIN = 1_000 * WAD  # stand-alone margin of every instrument
DEPOSIT = 1_000_000 * 10**6
PAYMENT = 1_000 * 10**6
EPOCH_SECONDS = 12
MIN_BLOCKS = 4
DEADLINE = 2**40


class Clocked(Web3Backend):
    """Every block one second after the last, so that block hashes and signatures repeat."""

    def __init__(self, devnet: Devnet, key: bytes) -> None:
        super().__init__(Web3(HTTPProvider(devnet.url)), key)
        self.devnet = devnet
        self.now = GENESIS

    def _transact(self, fields: TxParams, what: str) -> TxReceipt:
        self.now += 1
        self.devnet.rpc("evm_setNextBlockTimestamp", self.now)
        return super()._transact(fields, what)

    def mine(self, seconds: int = 1) -> None:
        """One empty block."""
        self.now += seconds
        self.devnet.mine_at(self.now)


def options(expiry: int) -> list[int]:
    """Sixteen options of one expiry, ascending: a call and a put at every strike."""
    kinds = (Kind.CALL, Kind.PUT)
    return sorted(Instrument(1, expiry, strike * USD8, kind).pack() for strike in STRIKES for kind in kinds)


LISTED = [instrument for expiry in EXPIRIES for instrument in options(expiry)]


def _others(what: str, count: int) -> list[bytes]:
    """Leaves of everybody else, so that proofs are as long as in use."""
    return [keccak(text=f"another {what} {i}") for i in range(count)]


@dataclass
class Scenario:
    """The deployed protocol, what its attesters last stated, and the books of its accounts."""

    backend: Clocked
    deployment: Deployment
    epoch: int = 0
    margins: Tree = field(default_factory=lambda: Tree(()))
    instruments: Tree = field(default_factory=lambda: Tree(()))
    spots: list[int] = field(default_factory=lambda: [u.spot8 for u in UNDERLYINGS])
    books: dict[int, dict[int, int]] = field(default_factory=dict)
    orders: int = 0
    # accounts that the attesters state to be below maintenance margin
    short: set[int] = field(default_factory=set)

    # Transactions

    def send(self, contract: str, function: str, *arguments: Any) -> int:
        """Gas of one transaction."""
        return int(self.backend.send(self.deployment[contract], function, *arguments)["gasUsed"])

    def open_account(self) -> int:
        """Gas; the account belongs to the sender, who also signs its orders."""
        gas = self.send("Clearinghouse", "open_account", self.backend.deployer)
        self.books[len(self.books) + 1] = {}
        return gas

    def deposit(self, account: int) -> int:
        return self.send("Vault", "deposit", account, self._token, DEPOSIT)

    def post_epoch(self, timestamp: int | None = None) -> int:
        """Gas of the next epoch: every account's margin, every instrument, spots up by a basis point."""
        for _ in range(MIN_BLOCKS):
            self.backend.mine()
        self.backend.now = max(self.backend.now, (timestamp or 0) - 1)
        self.backend.mine()
        self.epoch += 1
        self.spots = [spot + spot // 10_000 for spot in self.spots]
        block = self.backend.web3.eth.get_block("latest")
        self._state()
        words = [spot << 64 | spot for spot in self.spots]
        epoch = Epoch(
            self.epoch,
            block["timestamp"],
            block["number"],
            bytes(block["hash"]),
            keccak(text="snapshot"),
            METHODOLOGY,
            self.instruments.root,
            self.margins.root,
            spots_hash(words),
        )
        return self.send(
            "RiskOracle", "post_epoch", epoch.posting(), self.spots, self.signatures(epoch.struct_hash())
        )

    def refresh(self, account: int) -> int:
        evidence = self.evidence(WAY_LEAF, account, self.books[account])
        return self.send("Clearinghouse", "refresh", account, evidence, encode_statement(self.epoch))

    def settle(self, account: int) -> int:
        """Settles every leg."""
        gas = self.send("Clearinghouse", "settle", account, sorted(self.books[account]))
        self.books[account] = {}
        return gas

    def finalize(self, underlying: int, expiry: int) -> int:
        return self.send("RiskOracle", "finalize_settlement", underlying, expiry)

    def trade(self, way: int, maker: int, taker: int, instrument: int, quantity: int) -> int:
        """Gas of a fill, both sides passing the same way. `quantity` is the maker's, WAD."""
        price = self.mark(instrument)
        cash = price if quantity > 0 else -price
        sides = (
            self._order(maker, instrument, quantity, cash),
            self._order(taker, instrument, -quantity, -cash),
        )
        fill = Fill(sides[0].struct_hash(), sides[1].struct_hash(), 1, cash, self.orders)
        for account, signed in ((maker, quantity), (taker, -quantity)):
            held = self.books[account].get(instrument, 0) + signed
            self.books[account] = {**self.books[account], instrument: held}
        deltas = {maker: quantity, taker: -quantity}
        shown, statement = self._shown(way, fill.struct_hash(), instrument, price, deltas)
        separator = domain_separator(self._chain_id, self.deployment.address("Exchange"))
        signed_by = [
            signature_bytes(sign(digest(separator, order.struct_hash()), SENDER_KEY)) for order in sides
        ]
        terms = fill_arguments(sides[0], signed_by[0], sides[1], signed_by[1], 1, cash, [price], self.orders)
        return self.send("Exchange", "fill", *terms, *shown, statement)

    def withdraw(self, way: int, account: int) -> int:
        """Gas of a withdrawal inside the exempt amount."""
        token, book = self._token, self.books[account]
        recipient = self.backend.deployer
        statement = encode_statement(self.epoch) if way == WAY_LEAF else NO_STATEMENT
        shown = self.evidence(way, account, book)
        if way == WAY_REPORT:
            nonce = self._account(account)[2]
            action = Withdrawal(account, token, PAYMENT, recipient, nonce).struct_hash()
            margin = self.margin(account)
            shown = encode_evidence(way, sorted(book), margin)
            statement = self._signed(action, [margin])
        arguments = (account, token, PAYMENT, recipient, shown, statement)
        return self.send("Vault", "withdraw", *arguments)

    def value(self, account: int) -> int:
        """Gas of a transaction to the valuer's view of a whole book."""
        book = [i << 128 | q & 2**128 - 1 for i, q in sorted(self.books[account].items())]
        return self.send("BookValuer", "value", book)

    def flag(self, account: int) -> int:
        """Gas of a flag by leaf, nothing having changed since."""
        return self.send("AuctionHouse", "flag", account, self.claim(account))

    def claim(self, account: int) -> bytes:
        """An account's leaf, nothing having changed since."""
        margin = self.margin(account)
        path = (*self.margins.proof(leaf(margin.struct_hash())), self.instruments.root)
        book = sorted(self.books[account])
        claim: tuple[Any, ...] = (
            book,
            WAY_LEAF,
            margin.values(),
            list(path),
            self.epoch,
            0,
            (0, []),
            [],
            [],
            [],
        )
        return encode_claim(claim)

    def bid(self, account: int, bidder: int) -> int:
        """Gas of the largest bid, by headroom."""
        limit, book = 100 * self.equity(account), sorted(self.books[account])
        arguments = (account, bidder, WAD, limit, book, NO_EVIDENCE, NO_STATEMENT)
        return self.send("AuctionHouse", "bid", *arguments)

    # What attesters state

    def mark(self, instrument: int) -> int:
        """The mean of the payoffs a fifth below and above the spot, on tick: inside every bracket. WAD."""
        of = Instrument.unpack(instrument)
        spot, tick = self.spots[of.underlying - 1], UNDERLYINGS[of.underlying - 1].tick
        prices = (spot * 4 // 5, spot * 6 // 5)
        sign_of = 1 if of.kind == Kind.CALL else -1
        mean = sum(max(0, sign_of * (price - of.strike)) for price in prices) * PRICE_UNIT // 2
        return mean // tick * tick

    def margin(self, account: int) -> MarginLeaf:
        """Of an account as the chain has it now."""
        state, book = self._account(account), self.books[account]
        mark = sum(q * self.mark(i) // WAD for i, q in book.items())
        gross = sum(abs(q) * UNIT_MARGIN // WAD for q in book.values())
        counters = (state[8], state[9], bytes(state[10]))
        if account in self.short:
            gross = self.equity(account) * 6 // 5
        return MarginLeaf(
            account, *counters, mark, gross, gross, mark, gross, WAD * 5 // 4, 10**24, keccak(text="why")
        )

    def equity(self, account: int) -> int:
        """Cash and legs at their marks, WAD."""
        legs = sum(q * self.mark(i) // WAD for i, q in self.books[account].items())
        return int(self._account(account)[6]) + legs

    def instrument(self, packed: int) -> InstrumentLeaf:
        """Its mark and stand-alone margins now."""
        return InstrumentLeaf(packed, self.mark(packed), *[UNIT_MARGIN] * 4)

    def evidence(self, way: int, account: int, book: dict[int, int]) -> Evidence:
        """How an account passes without a report. `book`: after the action."""
        if way != WAY_LEAF:
            return encode_evidence(way, sorted(book))
        margin = self.margin(account)
        proof = (*self.margins.proof(leaf(margin.struct_hash())), self.instruments.root)
        return encode_evidence(way, sorted(book), margin, proof)

    def statement(self, instrument: int) -> bytes:
        """Shows an instrument's leaf."""
        shown = self.instrument(instrument)
        path = [*self.instruments.proof(leaf(shown.struct_hash())), self.margins.root]
        return encode_statement(self.epoch, instruments=[shown], paths=[path])

    def signatures(self, struct_hash: bytes) -> tuple[int, list[tuple[bytes, int]]]:
        """Of three of the five attesters."""
        message = digest(
            domain_separator(self._chain_id, self.deployment.address("AttesterQuorum")), struct_hash
        )
        return sum(1 << i for i in SIGNERS), [sign(message, ATTESTER_KEYS[i]) for i in SIGNERS]

    def _signed(self, action: bytes, margins: Sequence[MarginLeaf]) -> bytes:
        reports = [Report(self.epoch, action, margin, DEADLINE) for margin in margins]
        return encode_statement(self.epoch, DEADLINE, self.signatures(reports_hash(reports)))

    def _shown(
        self, way: int, action: bytes, instrument: int, price: int, deltas: dict[int, int]
    ) -> tuple[list[Evidence], bytes]:
        """Evidence of maker and taker, and the statement that they share."""
        if way == WAY_REPORT:
            margins = [self._after(account, instrument, q, price) for account, q in deltas.items()]
            return [encode_evidence(way, sorted(self.books[m.account]), m) for m in margins], self._signed(
                action, margins
            )
        shown = [self.evidence(way, account, self.books[account]) for account in deltas]
        return shown, NO_STATEMENT if way == WAY_WORST_CASE else self.statement(instrument)

    def _after(self, account: int, instrument: int, quantity: int, price: int) -> MarginLeaf:
        """What a report states: the book is already the later one, the chain's hash is not."""
        margin = self.margin(account)
        later = fold(margin.book_hash, CHANGE_UNCOUNTED_FILL, instrument, quantity, price)
        return replace(margin, book_hash=later)

    def _state(self) -> None:
        margins = [leaf(self.margin(account).struct_hash()) for account in self.books]
        instruments = [leaf(self.instrument(i).struct_hash()) for i in LISTED]
        self.margins = Tree((*margins, *_others("margin", TREE_LEAVES - len(margins))))
        self.instruments = Tree((*instruments, *_others("instrument", TREE_LEAVES - len(instruments))))

    # Small things

    def _order(self, account: int, instrument: int, quantity: int, cash: int) -> Order:
        self.orders += 1
        legs = (Leg(instrument, quantity),)
        return Order(account, legs, 1, cash, 2**200, nonce_of(0, self.orders), DEADLINE)

    def _account(self, account: int) -> Any:
        return self.backend.call(self.deployment["Clearinghouse"], "account", account)

    @property
    def _token(self) -> str:
        return self.deployment.address("MockToken")

    @property
    def _chain_id(self) -> int:
        return self.backend.devnet.chain_id
