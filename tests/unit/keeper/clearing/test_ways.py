"""Reasons why an action may not pass."""

from dataclasses import replace

from keeper.clearing import ways
from keeper.clearing.account import NEVER, Account
from keeper.clearing.ways import Bounds, Margin
from keeper.markets.instrument import Instrument, Kind
from keeper.units.constants import WAD

BOUNDS = Bounds(worst_case=-10 * WAD, low=0, high=100 * WAD, floor=-10 * WAD, linear=0, expired=False)
MARGIN = Margin(
    0, 0, bytes(32), mark=50 * WAD, initial=40 * WAD, maintenance=30 * WAD, marginal=WAD, max_added_im=0
)
TRADER = Account("trader", cash=0)


def test_report_refusal__covered__passes():
    assert ways.report_refusal(TRADER, MARGIN, BOUNDS) is None


def test_report_refusal__margin_above_equity__is_refused():
    assert ways.report_refusal(TRADER, replace(MARGIN, initial=51 * WAD), BOUNDS) == "below initial margin"


def test_report_refusal__collateral__backs_margin_but_lends_no_cash():
    dear = replace(MARGIN, initial=51 * WAD)

    assert ways.report_refusal(TRADER, dear, BOUNDS, collateral=WAD) is None
    assert ways.report_refusal(replace(TRADER, cash=-1), MARGIN, BOUNDS, collateral=WAD) == "settled cash"


def test_headroom_refusal__collateral__backs_margin():
    record = ways.record_of(replace(MARGIN, mark=0), BOUNDS, epoch=1)
    poor = replace(TRADER, record=record)

    assert ways.headroom_refusal(poor, 0) == "below initial margin"
    assert ways.headroom_refusal(poor, 0, collateral=40 * WAD) is None


def test_report_refusal__defined_risk__is_capped():
    capped = replace(MARGIN, initial=500 * WAD)

    assert ways.capped_margin(capped, BOUNDS) == 60 * WAD
    assert ways.capped_margin(capped, replace(BOUNDS, floor=None)) == 500 * WAD


def test_report_refusal__mark_above_the_bracket__is_refused():
    dear = replace(MARGIN, mark=100 * WAD + 1)

    assert ways.report_refusal(TRADER, dear, BOUNDS) == "mark outside bracket"


def test_report_refusal__another_book__is_refused():
    assert ways.report_refusal(TRADER, replace(MARGIN, book_hash=b"1" * 32), BOUNDS) == "another book"


def test_statement_refusal__older_by_a_fill__carries_the_mark_forward():
    later = replace(TRADER, book_hash=bytes(31) + bytes([1]), added_mark=51 * WAD)

    assert ways.statement_refusal(later, MARGIN, BOUNDS) == "mark outside bracket"
    assert ways.statement_refusal(replace(later, added_mark=-60 * WAD), MARGIN, BOUNDS) is None


def test_report_refusal__borrowing__is_refused():
    bounds = replace(BOUNDS, linear=0)

    assert ways.report_refusal(replace(TRADER, cash=-1), MARGIN, bounds) == "settled cash"


def test_worst_case_refusal__cash_covers__passes():
    assert ways.worst_case_refusal(replace(TRADER, cash=10 * WAD), BOUNDS) is None
    assert ways.worst_case_refusal(replace(TRADER, cash=10 * WAD - 1), BOUNDS) == "not fully collateralised"
    assert ways.worst_case_refusal(TRADER, replace(BOUNDS, worst_case=None)) == "not fully collateralised"
    assert ways.worst_case_refusal(TRADER, replace(BOUNDS, expired=True)) == "expired leg"


def test_settled_cash_refusal__below_zero__is_refused():
    assert ways.settled_cash_refusal(0) is None
    assert ways.settled_cash_refusal(-1) == "settled cash"


def test_earliest_expiry__perps_only__is_never():
    perp = Instrument(1, 0, 0, Kind.PERP).pack()
    future = Instrument(1, 1_743_552_000, 0, Kind.FUTURE).pack()

    assert ways.earliest_expiry(replace(TRADER, positions={perp: WAD})) == NEVER
    assert ways.earliest_expiry(replace(TRADER, positions={perp: WAD, future: WAD})) == 1_743_552_000
