"""Claims on an account's margin: how liquidators build them, and what the model says they prove."""

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.attestation.evidence import NO_SIGNATURES
from keeper.attestation.typed_data import MarginLeaf
from keeper.jobs.claims import MAX_UNITS
from keeper.liquidation import claim as claims
from keeper.liquidation.claim import Change, ClaimError, Verdict
from keeper.liquidation.encoding import encode_claim
from keeper.units.constants import MAX_CHANGES
from tests.stateful import typed
from tests.stateful.deployment import LISTINGS
from tests.stateful.epochs import Views, margin_leaf
from tests.stateful.orders import LEAF
from tests.stateful.protocol import Protocol
from tests.stateful.world import DEADLINE_SECONDS


@dataclass(frozen=True)
class Claim:
    """What is presented: an attested margin, and all changes since."""

    account: int
    way: int
    leaf: typed.Struct
    views: Views  # that the margin was computed at
    changes: Sequence[Change] = ()

    @property
    def filled(self) -> list[int]:
        """Instruments that need a leaf of their own."""
        return sorted({change.instrument for change in self.changes if change.kind in claims.FILLS})

    @property
    def fits(self) -> bool:
        return len(self.changes) <= MAX_CHANGES and len(self.filled) <= MAX_UNITS


@dataclass(frozen=True)
class Examined:
    """What a claim proves.

    Attributes:
        linear: lower bound of perps and futures; earliest: first expiry.
    """

    verdict: Verdict
    bounds: claims.Bounds
    linear: int
    earliest: int


def claim_on(p: Protocol, account: int, way: int) -> Claim:
    """By the epoch's leaf with every change since, or by a report on the book now."""
    if way == LEAF:
        leaf = p.epoch.margins[account]
        changes = p.changes.since(account, leaf["bookHash"])
        assert changes is not None, "no way from the leaf to the book"
        return Claim(account, way, leaf, p.epoch.views, changes)
    views = p.world.views(p.epoch.words)
    return Claim(account, way, margin_leaf(account, p.account(account), views), views)


def encoded(p: Protocol, claim: Claim) -> bytes:
    """As the contracts read it."""
    epoch, deadline = p.epoch, p.now + DEADLINE_SECONDS
    action = typed.struct_hash("Flag", {"account": claim.account})
    report = {"epoch": epoch.number, "action": action, "margin": claim.leaf, "deadline": deadline}
    is_leaf = claim.way == LEAF
    reports = typed.struct_hash("Reports", {"reports": [report]})
    return encode_claim(
        (
            sorted(p.account(claim.account).positions),
            claim.way,
            typed.values("MarginLeaf", claim.leaf),
            epoch.margin_proof(claim.account) if is_leaf else [],
            epoch.number,
            deadline,
            NO_SIGNATURES if is_leaf else p.world.signed(reports),
            [(c.kind, c.instrument, c.quantity, c.price) for c in claim.changes],
            [typed.values("InstrumentLeaf", epoch.instruments[i]) for i in claim.filled],
            [epoch.instrument_proof(i) for i in claim.filled],
        )
    )


def examine(p: Protocol, claim: Claim) -> Examined:
    """What the claim proves of the account as it is.

    Raises:
        ClaimError: the chain must refuse it.
    """
    account, predictor = p.account(claim.account), p.predictor
    leaf = MarginLeaf(*typed.values("MarginLeaf", claim.leaf))
    effect = claims.replay(leaf.book_hash, account.book_hash, claim.changes)
    if effect.settled_until > p.epoch.header["timestamp"]:
        raise ClaimError("epoch before the settlement")
    if any(net and token not in account.collateral for token, net in effect.collateral.items()):
        raise ClaimError("needs a newer leaf")
    units = {i: p.epoch.unit(i) for i in claim.filled}
    moved = claims.moved_value(effect, _dearest(p))
    bounds = claims.bounds(leaf, units, effect, claims.slack_of(effect, _apart(p)), moved)
    value = p.world.gate_value(account.positions)
    if value.expired or not value.low <= bounds.mark <= value.high:
        raise ClaimError("settle first, or mark outside bracket")
    verdict = claims.judge(
        bounds,
        account.cash,
        predictor.collateral(account),
        predictor.collateral(account, posted=True).maintenance,
        p.rate,
        predictor.bounds(account).floor,
    )
    return Examined(verdict, bounds, value.linear, value.earliest)


def _spots(p: Protocol) -> dict[int, tuple[int, int]]:
    """Posted and effective spot by underlying."""
    return {u: (word >> 64, word & 2**64 - 1) for u, word in enumerate(p.epoch.words, start=1)}


def _apart(p: Protocol) -> dict[int, int]:
    return {u: abs(posted - effective) for u, (posted, effective) in _spots(p).items()}


def _dearest(p: Protocol) -> dict[int, int]:
    """The greater spot by collateral token."""
    spots = _spots(p)
    return {one.index: max(spots[one.underlying]) for one in LISTINGS}
