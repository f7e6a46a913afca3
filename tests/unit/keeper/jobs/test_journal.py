"""Every change of an account's cash: the kinds, the parts that add up, and a history that does not."""

from typing import Any

import pytest

from keeper.jobs.journal import Entry, JournalError, journal, price_text, statement
from keeper.markets.instrument import Instrument, Kind, word
from keeper.store.index_store import EventRow
from keeper.units.constants import WAD

PERP = Instrument(1, 0, 0, Kind.PERP).pack()
CALL = Instrument(1, 2_000_000_000, 100 * 10**8, Kind.CALL).pack()
ME, OTHER = 3, 4


class Chain:
    """Events of one account, a block every ten seconds."""

    def __init__(self) -> None:
        self.rows: list[tuple[EventRow, int]] = []
        self.happen("Clearinghouse", "AccountOpened", account=ME)

    def happen(self, contract: str, name: str, tx: str = "", **payload: Any) -> None:
        number = len(self.rows) + 1
        row = EventRow(number, 0, contract, number, name, tx or f"0x{number:02x}", payload)
        self.rows.append((row, number * 10))

    def deposit(self, amount: int, cash: int, tx: str = "") -> None:
        self.happen("Vault", "Deposited", tx, account=ME, amount=amount, cash=cash)

    def trade(self, instrument: int, quantity: int, price: int, fee: int, cash: int) -> None:
        fields = {"instrument": instrument, "quantity": quantity, "price": price, "fee": fee, "cash": cash}
        self.happen("Clearinghouse", "PositionChanged", account=ME, **fields)

    def told(self) -> list[tuple[str, int]]:
        return [(entry.kind, entry.amount) for entry in journal(ME, self.rows)]


def test_journal__deposit_withdrawal_interest__one_entry_each() -> None:
    chain = Chain()
    chain.deposit(5, 5 * WAD)
    chain.happen("Vault", "Withdrawn", account=ME, amount=2, cash=3 * WAD)
    chain.happen("Vault", "InterestCharged", account=ME, amount=7, cash=3 * WAD - 7)

    assert chain.told() == [("deposit", 5 * WAD), ("withdrawal", -2 * WAD), ("interest", -7)]


def test_journal__withdrawal_of_collateral__no_cash_no_entry() -> None:
    chain = Chain()
    chain.happen("Vault", "Withdrawn", account=ME, amount=2, cash=0)

    assert chain.told() == []


def test_journal__trades_with_fee_and_rebate__apart() -> None:
    chain = Chain()
    chain.deposit(1, 100 * WAD)
    chain.trade(CALL, 2 * WAD, 10 * WAD, WAD, 79 * WAD)
    chain.trade(CALL, -WAD, 12 * WAD, -(WAD // 2), 91 * WAD + WAD // 2)

    expected = [("deposit", 100 * WAD), ("trade", -20 * WAD), ("fee", -WAD)]
    assert chain.told() == [*expected, ("trade", 12 * WAD), ("rebate", WAD // 2)]


def test_journal__perp_at_a_rate__funding_is_what_the_chain_has_added() -> None:
    """Two coins long for ten seconds at a rate of 1e9 a second and coin."""
    chain = Chain()
    chain.happen("Clearinghouse", "FundingRateSet", underlying=1, rate=10**9, index=0)
    chain.deposit(1, 100 * WAD)
    chain.trade(PERP, 2 * WAD, 10 * WAD, 0, 80 * WAD)
    chain.trade(PERP, -2 * WAD, 10 * WAD, 0, 100 * WAD - 2 * 10**10)

    assert chain.told()[-2:] == [("funding", -2 * 10**10), ("trade", 20 * WAD)]


def test_journal__settlement__by_leg_with_the_quantity_held() -> None:
    chain = Chain()
    chain.deposit(1, 100 * WAD)
    chain.trade(CALL, 3 * WAD, 10 * WAD, 0, 70 * WAD)
    chain.happen(
        "Clearinghouse", "AccountSettled", account=ME, words=[CALL << 128 | 15 * WAD], cash=115 * WAD
    )
    last = journal(ME, chain.rows)[-1]

    assert (last.kind, last.what, last.quantity, last.price) == ("settlement", CALL, 3 * WAD, 15 * WAD)
    assert (last.amount, last.balance) == (45 * WAD, 115 * WAD)


@pytest.mark.parametrize("sells", [True, False])
def test_journal__share_in_an_auction__both_sides(sells: bool) -> None:
    chain = Chain()
    chain.deposit(1, 100 * WAD)
    chain.trade(CALL, 4 * WAD, 10 * WAD, 0, 60 * WAD)
    share = {"fraction": WAD // 2, "price": 5 * WAD, "payout": 0, "words": [word(CALL, 2 * WAD)]}
    seller, buyer = (ME, OTHER) if sells else (OTHER, ME)
    cash = {"sellerCash": 35 * WAD, "buyerCash": 71 * WAD}
    chain.happen("Clearinghouse", "ShareTransferred", seller=seller, buyer=buyer, **share, **cash)
    held = 2 * WAD if sells else 6 * WAD
    after = cash["sellerCash" if sells else "buyerCash"] + held
    chain.happen("Clearinghouse", "AccountSettled", account=ME, words=[CALL << 128 | WAD], cash=after)
    *_, sold, settled = journal(ME, chain.rows)

    assert (sold.kind, sold.what) == ("liquidation", OTHER)
    assert sold.amount == (-25 * WAD if sells else 11 * WAD)
    assert settled.quantity == held, "the legs have moved with the share"


def test_journal__proceeds_of_collateral_sold__are_no_deposit() -> None:
    chain = Chain()
    chain.deposit(5, 5 * WAD, "0xaa")
    chain.happen("CollateralSale", "CollateralConverted", "0xaa", account=ME, cost=5, amount=1)
    chain.deposit(5, 10 * WAD, "0xbb")

    assert chain.told() == [("conversion", 5 * WAD), ("deposit", 5 * WAD)]


def test_journal__an_event_is_missing__refused_with_both_sums() -> None:
    chain = Chain()
    chain.deposit(1, 100 * WAD)
    chain.trade(CALL, WAD, 10 * WAD, 0, 91 * WAD)

    with pytest.raises(JournalError, match=f"{90 * WAD} after PositionChanged in block 3.*{91 * WAD}"):
        journal(ME, chain.rows)


def test_journal__begins_in_the_middle__refused() -> None:
    chain = Chain()
    chain.deposit(1, WAD)
    with pytest.raises(JournalError, match="begins after its opening"):
        journal(ME, chain.rows[1:])


def test_statement__a_time_span__opening_entries_and_closing_add_up() -> None:
    entries = [Entry(n, n * 10, f"0x{n}", "deposit", 0, 0, 0, n, n * (n + 1) // 2) for n in range(1, 6)]
    found = statement(ME, entries, 20, 40)

    assert (found.opening, found.closing) == (1, 6) and [e.amount for e in found.entries] == [2, 3]
    assert found.totals == {"deposit": 5}
    assert statement(ME, entries, 60, 70).opening == statement(ME, entries, 60, 70).closing == 15
    assert statement(ME, entries, 0, 10).closing == 0


@pytest.mark.parametrize(
    ("wad", "text"),
    [(0, "0"), (1, "0.000000000000000001"), (-15 * WAD // 10, "-1.5"), (10**40, "10000000000000000000000")],
)
def test_price_text__exact(wad: int, text: str) -> None:
    assert price_text(wad) == text
