"""What must be true of auctions and conversions after every action."""

from collections.abc import Sequence
from dataclasses import asdict

from tests.stateful.claims import claim_on, encoded
from tests.stateful.conversion import Conversion
from tests.stateful.liquidation import Liquidation
from tests.stateful.orders import LEAF

NAMES = {"initial": "initialMargin", "maintenance": "maintenanceMargin"}


def auctions_agree(auctions: Liquidation) -> None:
    """Invariant 5: every auction stands where the formula puts it."""
    for number in auctions.p.ledger.accounts:
        on_chain = auctions.house.auction(number)
        auction = auctions.auctions.get(number)
        if auction is None:
            assert on_chain.epoch == 0
            continue
        assert {name: on_chain[NAMES.get(name, name)] for name in asdict(auction)} == asdict(auction)


def open_deficits_are_those_of_insolvent_auctions(auctions: Liquidation) -> None:
    """What withdrawals and exits price in is the sum over running auctions."""
    for number, deficit in auctions.deficits.items():
        assert auctions.house.deficit(number) == deficit
        assert deficit == 0 or number in auctions.auctions
    assert auctions.p.world.vault.open_deficit() == sum(auctions.deficits.values())


def only_accounts_in_auction_are_frozen(auctions: Liquidation) -> None:
    frozen = {number for number, account in auctions.p.ledger.accounts.items() if account.frozen}
    assert frozen == set(auctions.auctions)


def conversions_agree(conversion: Conversion) -> None:
    for number in conversion.p.ledger.accounts:
        assert conversion.sale.conversion_started(number) == conversion.started.get(number, 0)


def weak_accounts_can_be_flagged(auctions: Liquidation, weak: Sequence[int]) -> None:
    """Invariant 4, second half: once an epoch speaks of the account's book, nothing it does later keeps a
    flag away; tried on chain and undone.
    """
    p = auctions.p
    if not p.world.contracts.oracle.is_fresh():
        return
    for number in weak:
        if number not in p.epoch.margins or p.predictor.bounds(p.account(number)).expired:
            continue
        claim = claim_on(p, number, LEAF)
        if claim.changes:
            continue
        with p.world.chain.undone():
            assert auctions.house.attempt("flag", number, encoded(p, claim)) == ""


def check_all(auctions: Liquidation, conversion: Conversion, weak: Sequence[int]) -> None:
    weak_accounts_can_be_flagged(auctions, weak)
    auctions_agree(auctions)
    open_deficits_are_those_of_insolvent_auctions(auctions)
    only_accounts_in_auction_are_frozen(auctions)
    conversions_agree(conversion)
