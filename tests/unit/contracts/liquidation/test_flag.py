"""Who can be flagged, by which claim, and who cannot."""

import boa
import pytest

from keeper.units import constants as c
from tests.support.auctions import CALL, EXPIRY, MARK, WAD, call, events

HEALTHY = "auction: not below maintenance margin"
ELSEWHERE = "claim: changes do not lead to the book"


def test_flag__below_maintenance_by_the_leaf__starts_and_freezes(fallen):
    hall, seller = fallen.hall, fallen.seller
    hall.flag(seller)
    (event,) = events(hall.on.house, "AuctionStarted")
    assert (event.account, event.epoch, event.solvent) == (seller, hall.epoch.number, True)
    assert (event.equity, event.initialMargin, event.maintenanceMargin) == (
        2_000 * WAD,
        2_500 * WAD,
        2_100 * WAD,
    )
    auction = hall.auction(seller)
    assert (auction.mark, auction.added, auction.elapsed) == (-10 * MARK, 2_500 * WAD, 0)
    assert (auction.earliest, auction.insolvent) == (EXPIRY, False)
    assert hall.state(seller).frozen


def test_flag__twice__refused(fallen):
    fallen.hall.flag(fallen.seller)
    with boa.reverts("auction: already running"):
        fallen.hall.flag(fallen.seller)


def test_flag__by_a_report__starts(fallen):
    hall, seller = fallen.hall, fallen.seller
    hall.post()
    stated = hall.margin(seller, initial_margin=3_000 * WAD, maintenance_margin=2_200 * WAD)
    hall.flag(seller, hall.report(seller, stated))
    assert hall.auction(seller).maintenanceMargin == 2_200 * WAD


# Reports


def test_flag__report_expired__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    stated = hall.margin(seller, maintenance_margin=2_200 * WAD)
    with boa.reverts("claim: report expired"):
        hall.flag(seller, hall.report(seller, stated, deadline=boa.env.evm.patch.timestamp - 1))


def test_flag__report_on_another_action__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    stated = hall.margin(seller, maintenance_margin=2_200 * WAD)
    with boa.reverts("quorum: wrong signer"):
        hall.flag(seller, hall.report(seller, stated, named=fallen.buyer))


def test_flag__report_with_changes_or_of_an_unknown_way__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    stated = hall.margin(seller, maintenance_margin=2_200 * WAD)
    with boa.reverts("claim: report of another book"):
        hall.flag(seller, hall.report(seller, stated, changes=[(c.CHANGE_FILL, CALL, WAD, MARK)]))
    with boa.reverts("claim: neither leaf nor report"):
        hall.flag(seller, hall.report(seller, stated, way=c.WAY_HEADROOM))


def test_flag__report_of_the_book_before_a_trade__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    before = hall.margin(seller, maintenance_margin=2_200 * WAD)
    hall.refresh(fallen.other)
    hall.deposit(seller, 10_000)
    hall.refresh(seller)
    hall.trade(seller, fallen.other, CALL, WAD)
    with boa.reverts(ELSEWHERE):
        hall.flag(seller, hall.report(seller, before))


# Health


@pytest.mark.parametrize("margin", [0, 2_000 * WAD])
def test_flag__equity_at_least_maintenance__refused(fallen, margin):
    hall, seller = fallen.hall, fallen.seller
    hall.post(hall.margin(seller, initial_margin=9_000 * WAD, maintenance_margin=margin))
    with boa.reverts(HEALTHY):
        hall.flag(seller)


@pytest.mark.parametrize("posted", [{"maintenance_posted": 2_000 * WAD}, {"mark_posted": -900 * WAD}])
def test_flag__healthy_at_the_posted_spot__refused(fallen, posted):
    hall, seller = fallen.hall, fallen.seller
    hall.post(hall.margin(seller, initial_margin=2_500 * WAD, maintenance_margin=2_100 * WAD, **posted))
    with boa.reverts(HEALTHY):
        hall.flag(seller)


def test_flag__healthy_at_the_effective_spot__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    hall.post(hall.margin(seller, maintenance_margin=2_000 * WAD, maintenance_posted=9_000 * WAD))
    with boa.reverts(HEALTHY):
        hall.flag(seller)


def test_flag__fully_collateralised__refused_whatever_attesters_state(hall):
    holder, other = hall.open("holder", 2_000), hall.open("other", 100_000)
    hall.hold(holder, other, {CALL: 10 * WAD, call(2_500): -10 * WAD})  # the spread pays 0 at least
    assert hall.cash(holder) == 2_000 * WAD
    for mark in (0, 1_000 * WAD):
        hall.post(
            hall.margin(
                holder, mark_to_market=mark, initial_margin=10**6 * WAD, maintenance_margin=10**6 * WAD
            )
        )
        with boa.reverts(HEALTHY):
            hall.flag(holder)


def test_flag__mark_no_book_can_have__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    for mark in (
        WAD,
        -25_000 * WAD,
    ):  # a short call is worth neither more than nothing nor less than the spot
        hall.post(hall.margin(seller, mark_to_market=mark, maintenance_margin=30_000 * WAD))
        with boa.reverts("claim: mark outside bracket"):
            hall.flag(seller)


# Time


def test_flag__epoch_stale__refused(fallen):
    fallen.hall.wait(181)
    with boa.reverts("auction: epoch too old"):
        fallen.hall.flag(fallen.seller)


def test_flag__earlier_epoch__refused(fallen):
    hall, seller = fallen.hall, fallen.seller
    claim = hall.claim(seller)
    hall.post(hall.margin(seller))
    with boa.reverts("claim: not the latest epoch"):
        hall.flag(seller, claim)


def test_flag__after_a_gap_between_epochs__not_before_the_grace_is_over(fallen):
    hall, seller = fallen.hall, fallen.seller
    terms = list(hall.on.house.terms())
    hall.on.house.set_terms((*terms[:-1], 600), sender=hall.on.owner)

    def margin():
        return hall.margin(seller, initial_margin=2_500 * WAD, maintenance_margin=2_100 * WAD)

    def run(seconds):
        for _ in range(seconds // 60):
            hall.post(margin(), seconds=60)

    run(1_200)
    hall.post(margin(), seconds=599)  # shorter than a gap
    hall.flag(seller)
    hall.post(hall.margin(seller), seconds=60)
    hall.update(seller)

    run(1_200)
    hall.post(margin(), seconds=601)
    for _ in range(9):
        with boa.reverts("claim: grace after a gap"):
            hall.flag(seller)
        hall.post(margin(), seconds=60)
    run(360)  # the oracle looks back from boundaries of five minutes
    hall.flag(seller)
