"""What the owner sets, and the events' numbers."""

import boa

from tests.support.auctions import TERMS, WAD, Hall, events, source
from tests.support.clearing import auction_house

ZERO_ADDRESS = "0x" + "00" * 20


def test_constructor__stores_what_it_is_given(hall):
    on = hall.on
    assert tuple(on.house.terms()) == TERMS
    assert (on.house.CLEARINGHOUSE(), on.house.VAULT()) == (on.clearing.address, on.vault.address)
    assert (on.house.CLAIM_GATE(), on.house.owner()) == (on.claim_gate.address, on.owner)
    assert on.claim_gate.CLEARINGHOUSE() == on.clearing.address


def test_constructor__zero_addresses__refused(hall):
    on = hall.on
    for first, second in ((ZERO_ADDRESS, on.claim_gate.address), (on.clearing.address, ZERO_ADDRESS)):
        with boa.reverts("auction: zero address"):
            source("liquidation/AuctionHouse").deploy(first, second, TERMS)
    with boa.reverts("claim: zero address"):
        source("liquidation/ClaimGate").deploy(ZERO_ADDRESS)


def test_set_terms__by_the_owner__holds_from_now_on(hall):
    changed = (*TERMS[:6], 50 * WAD, *TERMS[7:])
    before = hall.on.house.seq()
    hall.on.house.set_terms(changed, sender=hall.on.owner)
    (event,) = events(hall.on.house, "TermsSet")
    assert (tuple(event.terms), event.seq) == (changed, before + 1)
    assert tuple(hall.on.house.terms()) == changed


def test_set_terms__by_a_stranger_or_out_of_bounds__refused(hall):
    with boa.reverts("ownable: caller is not the owner"):
        hall.on.house.set_terms(TERMS, sender=boa.env.generate_address("stranger"))
    with boa.reverts("auction: bad discount"):
        hall.on.house.set_terms((WAD + 1, *TERMS[1:]), sender=hall.on.owner)


def test_owner__hands_over_but_cannot_renounce(hall):
    heir = boa.env.generate_address("heir")
    hall.on.house.transfer_ownership(heir, sender=hall.on.owner)
    assert hall.on.house.owner() == heir
    assert not hasattr(hall.on.house, "renounce_ownership")


def test_seq__every_event_is_numbered(fallen):
    hall, house = fallen.hall, fallen.hall.on.house
    numbers = [house.seq()]
    for act in (
        lambda: hall.flag(fallen.seller),
        lambda: hall.bid(fallen.seller, fallen.buyer, WAD // 10),
        lambda: hall.bid(fallen.seller, fallen.buyer),
    ):
        act()
        for name in ("AuctionStarted", "AuctionBid", "AuctionEnded"):
            numbers += [event.seq for event in events(house, name)]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert numbers[-1] == house.seq()


def test_flag__auction_house_replaced__can_freeze_nobody(fallen):
    hall: Hall = fallen.hall
    hall.on.clearing.set_auction_house(auction_house(), sender=hall.on.owner)
    with boa.reverts("clearing: not the auction house"):
        hall.flag(fallen.seller)
