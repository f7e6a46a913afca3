"""What a leaf still proves of an account that has changed since, bit for bit as
`contracts/liquidation/claim.vy`.

The changes between the leaf's book hash and the present one are netted per instrument and marked at the
epoch's instrument leaves; undoing a net change costs at most its stand-alone margin times m, as margins are
subadditive. Everything is rounded in favour of the account. Cash, margins, quantities WAD.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.attestation.typed_data import InstrumentLeaf, MarginLeaf
from keeper.clearing import book_hash as hashes
from keeper.clearing.collateral import Value
from keeper.markets.instrument import Instrument
from keeper.units import constants as c
from keeper.units.fixed_point import mul_up, signed_mul_up

FILLS = frozenset({c.CHANGE_FILL, c.CHANGE_UNCOUNTED_FILL})
COLLATERAL = frozenset({c.CHANGE_COLLATERAL, c.CHANGE_WITHDRAWAL, c.CHANGE_CONVERSION})


class ClaimError(ValueError):
    """The chain would refuse the claim, for the same reason."""


@dataclass(frozen=True, slots=True)
class Change:
    """One link of the book hash: CHANGE_* kind, instrument (of collateral: the token's index), signed
    quantity, price per unit.
    """

    kind: int
    instrument: int
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes did.

    Attributes:
        nets: net quantity by instrument, every one filled.
        collateral: net amount by the token's index.
        settled: mark that settlements have turned into cash, negative where it was worth something.
        settled_until: latest expiry settled, unix seconds; 0: none.
    """

    nets: Mapping[int, int]
    collateral: Mapping[int, int]
    settled: int = 0
    settled_until: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of an account now, margins uncapped: its mark at the effective spots; upper bounds of its mark at the
    posted ones and of its initial margin (`added`); lower bounds of the other margins.
    """

    mark: int
    mark_posted: int
    maintenance: int
    maintenance_posted: int
    initial: int
    added: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Bounds held against what the account has.

    Attributes:
        worth: of the account, with its collateral at full value.
        deficit: initial margin less the equity that counts towards it.
        initial, maintenance: capped at what the book can lose.
        below: equity below maintenance margin, at the effective and at the posted spots.
    """

    worth: int
    deficit: int
    initial: int
    maintenance: int
    below: bool


def replay(then: bytes, now: bytes, changes: Sequence[Change]) -> Effect:
    """What the changes from one book hash to another did.

    Raises:
        ClaimError: they do not lead there, or one of them needs a newer leaf.
    """
    nets: dict[int, int] = {}
    collateral: dict[int, int] = {}
    settled, settled_until, folded = 0, 0, then
    for change in changes:
        folded = hashes.fold(folded, change.kind, change.instrument, change.quantity, change.price)
        if change.kind in FILLS:
            nets[change.instrument] = nets.get(change.instrument, 0) + change.quantity
        elif change.kind == c.CHANGE_SETTLEMENT:
            settled += signed_mul_up(change.quantity, change.price)
            settled_until = max(settled_until, Instrument.unpack(change.instrument).expiry)
        elif change.kind in COLLATERAL:
            collateral[change.instrument] = collateral.get(change.instrument, 0) + change.quantity
        else:
            raise ClaimError("claim: needs a newer leaf")
    if folded != now:
        raise ClaimError("claim: changes do not lead to the book")
    return Effect(nets, collateral, settled, settled_until)


def bounds(
    leaf: MarginLeaf, units: Mapping[int, InstrumentLeaf], effect: Effect, slack: int = 0, moved: int = 0
) -> Bounds:
    """Mark and margins of the account now.

    Args:
        leaf: what attesters said.
        units: by instrument, one for every net.
        slack: most that the marks of the nets differ between effective and posted spots.
        moved: value of the net change of collateral, whichever way.

    Raises:
        ClaimError: the changes are larger than the leaf's multiplier holds for.
        KeyError: an instrument has no leaf.
    """
    nets = [(units[i], net) for i, net in effect.nets.items()]
    marked = effect.settled + sum(signed_mul_up(net, unit.mark) for unit, net in nets)
    undo = sum(mul_up(abs(net), unit.im_short if net > 0 else unit.im_long) for unit, net in nets)
    undo_maintenance = sum(mul_up(abs(net), unit.mm_short if net > 0 else unit.mm_long) for unit, net in nets)
    again = sum(mul_up(abs(net), unit.im_long if net > 0 else unit.im_short) for unit, net in nets)
    if max(undo, again) > leaf.max_added_im:
        raise ClaimError("claim: beyond the leaf's reach")
    if leaf.marginal < c.WAD:
        raise ClaimError("claim: bad marginal multiplier")
    lowered = mul_up(undo_maintenance, leaf.marginal) + moved
    return Bounds(
        mark=leaf.mark_to_market + marked,
        mark_posted=leaf.mark_posted + marked + slack,
        maintenance=max(0, leaf.maintenance_margin - lowered),
        maintenance_posted=max(0, leaf.maintenance_posted - lowered),
        initial=max(0, leaf.initial_margin - mul_up(undo, leaf.marginal) - moved),
        added=leaf.initial_margin + mul_up(again, leaf.marginal) + moved,
    )


def slack_of(effect: Effect, apart: Mapping[int, int]) -> int:
    """Most that the marks of the nets differ at spots `apart` by so much (underlying -> 1e-8 USD)."""
    return sum(
        mul_up(abs(net), apart.get(Instrument.unpack(i).underlying, 0) * c.PRICE_UNIT)
        for i, net in effect.nets.items()
    )


def moved_value(effect: Effect, prices: Mapping[int, int]) -> int:
    """Value of the net change of collateral; `prices`: token's index -> greater of both spots, 1e-8 USD."""
    return sum(mul_up(abs(net), prices[token] * c.PRICE_UNIT) for token, net in effect.collateral.items())


def judge(
    bound: Bounds, liquid: int, collateral: Value, posted: int, rate: int = c.WAD, least: int | None = None
) -> Verdict:
    """Whether an account is below its margins, and by how much.

    Args:
        liquid: cash and funding.
        collateral: at the effective spots.
        posted: of it, what counts towards maintenance margin at the posted spots.
        rate: what one unit of cash withdraws.
        least: least payoff of the book at expiry, summed; None: without end.
    """
    maintenance = capped(bound.maintenance, bound.mark, least)
    initial = max(maintenance, capped(bound.initial, bound.mark, least))
    below_effective = liquid + bound.mark + collateral.maintenance < maintenance
    posted_margin = capped(bound.maintenance_posted, bound.mark_posted, least)
    return Verdict(
        worth=worth(liquid + bound.mark, collateral.full, rate),
        deficit=initial - liquid - bound.mark - collateral.initial,
        initial=initial,
        maintenance=maintenance,
        below=below_effective and liquid + bound.mark_posted + posted < posted_margin,
    )


def worth(equity: int, full: int, rate: int) -> int:
    """Cash, funding and mark, and the collateral at its price over the rate; rounded up."""
    return equity + (-(-full * c.WAD // rate) if full else 0)


def capped(margin: int, mark: int, least: int | None) -> int:
    """A margin, at most what a book of this mark can lose."""
    return margin if least is None else min(margin, max(0, mark - least))
