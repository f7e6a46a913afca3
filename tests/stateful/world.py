"""The protocol on a fast chain, and everything that callers and attesters put together off-chain.

`World` drives the real contracts. It keeps no opinion about what should happen: that is the model's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from keeper.attestation.bands import Ages, Anchors, Bands, effective_spot
from keeper.attestation.evidence import NO_SIGNATURES, encode_statement
from keeper.clearing.account import Account
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import SCOPE_DEPOSIT, SCOPE_TRADE, SCOPE_WITHDRAW
from tests.stateful import typed
from tests.stateful.deployment import ATTESTERS, BANDS, METHODOLOGY, THRESHOLD, Deployment, deploy
from tests.stateful.epochs import EpochBook, Views, margin_leaf, publish_book
from tests.stateful.evm import Contract
from tests.stateful.margins import Market
from tests.stateful.orders import REPORT_WAYS, Deal, Orders, Side, leg_values, terms_values

PRICE_UNIT = 10**10
DEADLINE_SECONDS = 600
WINDOW = 1_800
# what of an epoch the oracle is given
POSTING = (
    "number",
    "timestamp",
    "blockNumber",
    "snapshotHash",
    "methodologyHash",
    "marketRoot",
    "marginRoot",
)


@dataclass(frozen=True)
class Grant:
    """What an operator may do (SCOPE_*), and until when."""

    secret: Any
    scopes: int
    until: int


class World:
    """The contracts, the clock, the attesters and the keys of owners and operators."""

    def __init__(self, deployment: Deployment | None = None) -> None:
        self.contracts = deployment or deploy()
        self.chain = self.contracts.chain
        self.clearing, self.vault = self.contracts.clearinghouse, self.contracts.vault
        self.epoch: EpochBook | None = None
        self.owners: dict[int, Any] = {}
        self.operators: dict[int, Grant] = {}  # who acts instead of the owner
        self.nonces: dict[int, int] = {}
        self.fills = 0
        self._valued_at = (-1, -1)
        self._values: dict[tuple[int, ...], Any] = {}

    # Accounts and tokens

    def open_account(self, owner_key: int, scope: tuple[int, int] = (0, 0)) -> int:
        """`scope`: what it is isolated to."""
        secret = typed.key(owner_key)
        owner = typed.address(secret)
        if any(scope):
            account = int(self.clearing.open_isolated(owner, *scope, sender=owner))
        else:
            account = int(self.clearing.open_account(owner, sender=owner))
        self.owners[account] = secret
        return account

    def owner(self, account: int) -> str:
        return typed.address(self.owners[account])

    def secret(self, account: int, scope: int) -> Any:
        """Key of whoever acts for an account: the operator, where its grant holds."""
        grant = self.operators.get(account)
        may = grant is not None and grant.scopes & scope and self.chain.timestamp <= grant.until
        return grant.secret if grant is not None and may else self.owners[account]

    def actor(self, account: int, scope: int) -> str:
        return typed.address(self.secret(account, scope))

    def token(self, index: int) -> Contract:
        """The settlement token (0), or a collateral token."""
        return self.contracts.coins[index - 1] if index else self.contracts.token

    def fund_actor(self, payer: str, token: Contract, amount: int, spender: Contract) -> None:
        """Fresh tokens that `spender` may take."""
        token.mint(payer, amount)
        token.approve(spender.address, amount, sender=payer)

    def deposit(self, account: int, amount: int, index: int = 0) -> str:
        token, payer = self.token(index), self.actor(account, SCOPE_DEPOSIT)
        self.fund_actor(payer, token, amount, self.vault)
        return str(self.vault.attempt("deposit", account, token.address, amount, sender=payer))

    # Epochs

    def words(self, posted: Sequence[int]) -> list[int]:
        """Posted << 64 | effective spots, were the next epoch of now."""
        oracle = self.contracts.oracle
        header = oracle.header()
        ages, elapsed = Ages(header.tenAge, header.hourAge), self.chain.timestamp - header.timestamp
        words = []
        for underlying, spot in enumerate(posted, start=1):
            last = oracle.spot(underlying)
            anchors = Anchors(last.effective, last.tenAnchor, last.hourAnchor)
            words.append(spot << 64 | effective_spot(spot, anchors, ages, elapsed, Bands(*BANDS))[0])
        return words

    def views(self, words: Sequence[int]) -> Views:
        """The market at packed words, now."""
        effective = self._market([word & 2**64 - 1 for word in words])
        posted = [word >> 64 for word in words]
        return Views(effective, effective if _agree(words) else self._market(posted))

    def propose(self, number: int, words: Sequence[int], books: Mapping[int, Account]) -> EpochBook:
        """What attesters compute on the state now."""
        views = self.views(words)
        leaves = {a: margin_leaf(a, account, views) for a, account in books.items()}
        header = {
            "number": number,
            "timestamp": self.chain.timestamp,
            "blockNumber": self.chain.block - 1,
            "blockHash": self.chain.block_hash(self.chain.block - 1),
            "snapshotHash": keccak(text=f"snapshot {number}"),
            "methodologyHash": METHODOLOGY,
            "spotsHash": keccak(b"".join(word.to_bytes(32, "big") for word in words)),
        }
        return publish_book(header, words, views, leaves, self.contracts.instruments)

    def publish(self, epoch: EpochBook) -> str:
        """Post a signed epoch; it becomes `self.epoch` when accepted."""
        signatures = self.signed(typed.struct_hash("Epoch", epoch.header))
        posting = tuple(epoch.header[name] for name in POSTING)
        posted = [word >> 64 for word in epoch.words]
        reason = str(self.contracts.oracle.attempt("post_epoch", posting, posted, signatures))
        if not reason:
            self.epoch = epoch
        return reason

    def signed(self, struct_hash: bytes) -> tuple[int, list[tuple[bytes, int]]]:
        """Quorum signatures over a struct hash, by attesters in ascending order."""
        separator = typed.domain_separator(self.chain.chain_id, self.contracts.quorum.address)
        digest = typed.digest(separator, struct_hash)
        signers = range(THRESHOLD)
        return sum(1 << i for i in signers), [typed.sign(ATTESTERS[i], digest) for i in signers]

    # Evidence

    def statement(self, action: bytes, sides: Iterable[Side], instruments: Sequence[int] = ()) -> bytes:
        """What the sides share: one signature set over the reports, and the instruments' leaves if asked
        for.
        """
        assert self.epoch is not None
        deadline = self.chain.timestamp + DEADLINE_SECONDS
        reports = [
            {"epoch": self.epoch.number, "action": action, "margin": side.leaf, "deadline": deadline}
            for side in sides
            if side.way in REPORT_WAYS
        ]
        hashed = typed.struct_hash("Reports", {"reports": reports})
        return encode_statement(
            self.epoch.number,
            deadline,
            self.signed(hashed) if reports else NO_SIGNATURES,
            [self.epoch.unit(i) for i in instruments],
            [self.epoch.instrument_proof(i) for i in instruments],
        )

    # Orders

    def order(self, account: int, deal: Deal, sign: int) -> typed.Struct:
        """One side's order of one unit; `sign` -1 for the taker."""
        nonce = self.nonces.get(account, 0)
        self.nonces[account] = nonce + 1
        return {
            "account": account,
            "legs": [{"instrument": leg.instrument, "quantity": sign * leg.quantity} for leg in deal.legs],
            "units": 1,
            "limit": sign * deal.cash,
            "maxFee": 2**200,
            "nonce": nonce // 256 << 8 | nonce % 256,
            "expiry": self.chain.timestamp + DEADLINE_SECONDS,
            "taker": "0x" + "00" * 20,
            "matcher": "0x" + "00" * 20,
            "flags": 0,
        }

    def orders(self, deal: Deal) -> Orders:
        self.fills += 1
        maker, taker = self.order(deal.maker, deal, 1), self.order(deal.taker, deal, -1)
        return Orders(maker, taker, deal.cash, self.fills)

    def sign_order(self, order: typed.Struct) -> bytes:
        separator = typed.domain_separator(self.chain.chain_id, self.contracts.exchange.address)
        digest = typed.digest(separator, typed.struct_hash("Order", order))
        r, vs = typed.sign(self.secret(order["account"], SCOPE_TRADE), digest)
        return r + vs.to_bytes(32, "big")

    def fill(self, deal: Deal, orders: Orders, sides: Sequence[Side], statement: bytes) -> str:
        """Bring two orders to the exchange; the reason of a refusal, else empty."""
        return str(
            self.contracts.exchange.attempt(
                "fill",
                leg_values(orders.maker),
                terms_values(orders.maker),
                self.sign_order(orders.maker),
                terms_values(orders.taker),
                self.sign_order(orders.taker),
                1,
                orders.price,
                [leg.price for leg in deal.legs],
                orders.fill_nonce,
                sides[0].evidence(),
                sides[1].evidence(),
                statement,
            )
        )

    def fee(self, taker: bool, deal: Deal) -> int:
        """Fee of one side, WAD: each leg's rounded up."""
        rate, oracle = self.contracts.fee_rates[taker], self.contracts.oracle
        square = 10**36
        return sum(
            -(-rate * abs(leg.quantity) * oracle.spot(leg.instrument >> 112).effective * PRICE_UNIT // square)
            for leg in deal.legs
        )

    # Withdrawals

    def withdrawal_action(self, account: int, index: int, amount: int, nonce: int) -> bytes:
        withdrawal = {
            "account": account,
            "token": self.token(index).address,
            "amount": amount,
            "recipient": self.owner(account),
            "nonce": nonce,
        }
        return typed.struct_hash("Withdrawal", withdrawal)

    def withdraw(self, side: Side, index: int, amount: int, statement: bytes) -> str:
        account, token = side.account, self.token(index).address
        arguments = (account, token, amount, self.owner(account), side.evidence(), statement)
        return str(self.vault.attempt("withdraw", *arguments, sender=self.actor(account, SCOPE_WITHDRAW)))

    # Views

    def gate_value(self, positions: Mapping[int, int]) -> Any:
        """The valuation of a book on chain, asked for once in each state of it."""
        state = self.chain.changes, self.chain.timestamp
        if state != self._valued_at:
            self._valued_at, self._values = state, {}
        words = tuple(i << 128 | q & 2**128 - 1 for i, q in sorted(positions.items()))
        if words not in self._values:
            self._values[words] = self.contracts.valuer.value(words)
        return self._values[words]

    def settlement_price(self, instrument: Instrument) -> int:
        """Final price, 1e-8 USD; 0: not final."""
        return int(self.contracts.oracle.settlement_price(instrument.underlying, instrument.expiry))

    def _market(self, posted: Sequence[int]) -> Market:
        """Market at spots, forwards as the chain has them inside a settlement window."""
        spots = dict(enumerate(posted, start=1))
        dated = [i for i in map(Instrument.unpack, self.contracts.instruments) if i.kind != Kind.PERP]
        groups = {(i.underlying, i.expiry): i for i in dated}
        forwards = {group: self._forward(i, spots[i.underlying]) for group, i in groups.items()}
        over = {group for group in groups if group[1] <= self.chain.timestamp}
        return Market(spots, forwards, frozenset(over))

    def _forward(self, instrument: Instrument, spot: int) -> int:
        """Forward: the settlement price, or the part of its average that is fixed, and the spot for the
        rest.
        """
        if instrument.expiry - self.chain.timestamp > WINDOW:
            return spot
        final = self.settlement_price(instrument)
        if final:
            return final
        fixed, covered = self.contracts.oracle.settlement_window(instrument.underlying, instrument.expiry)
        return int(fixed // 2 + spot * (WINDOW - min(covered, WINDOW))) // WINDOW


def _agree(words: Sequence[int]) -> bool:
    return all(word >> 64 == word & 2**64 - 1 for word in words)
