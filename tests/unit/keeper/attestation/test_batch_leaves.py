"""The leaves of many accounts at once are those of one at a time, to the bit."""

from dataclasses import replace
from functools import cache

import pytest

from keeper.attestation.accounts import Accounts
from keeper.attestation.batch_leaves import batch_tables, figures_of, joined, margin_leaves
from keeper.attestation.charges import CHARGES, TYPEHASH, breakdown_hash, charges_of
from keeper.attestation.leaves import Leaves
from keeper.attestation.report import RiskTables, margin_leaf
from keeper.attestation.snapshot import AccountState
from keeper.pricing.market import Market
from keeper.risk.batch_units import batch_unit_margins
from keeper.risk.collateral import Collateral
from keeper.risk.margin import account_margin, build_table, unit_margins
from keeper.risk.methodology import Methodology
from keeper.units.constants import WAD
from tests.support.random_books import random_books, smile_market, universe

METHODOLOGY = Methodology.default()
ACCOUNTS = 120


@cache
def tables(moved_bps: int = 0) -> RiskTables:
    """Of a market whose posted spots are so far from the effective ones."""
    market = smile_market()
    instruments = universe(market)
    effective = build_table(market, METHODOLOGY, instruments)
    if not moved_bps:
        return RiskTables(effective, effective)
    posted = replace(
        market,
        underlyings=tuple(
            replace(u, posted=u.effective * (10_000 + moved_bps) // 10_000) for u in market.underlyings
        ),
    )
    return RiskTables(effective, build_table(posted.at_posted_spot(), METHODOLOGY, instruments))


@cache
def states(most_coins: float = 50.0) -> tuple[AccountState, ...]:
    """Every tier, one that the methodology does not name, and some without legs."""
    instruments = sorted(tables().effective.units, key=lambda packed: tables().effective.units[packed].line)
    books = random_books(len(instruments), ACCOUNTS, 10, seed=5, most_coins=most_coins)
    return tuple(
        AccountState(
            account=3 * i + 1,
            legs=tuple(books.legs(i, instruments)),
            added_im=i * WAD,
            added_mark=-i * WAD,
            book_hash=bytes([i % 256]) * 32,
            tier=i % 6,
        )
        for i in range(ACCOUNTS)
    )


def leaves(accounts: Accounts, moved_bps: int = 0) -> Leaves:
    return margin_leaves(accounts, figures_of(accounts, batch_tables(tables(moved_bps))))


@pytest.mark.parametrize("moved_bps", [0, -700])
@pytest.mark.parametrize("most_coins", [50.0, 1e5])
def test_margin_leaves__random_books__each_is_that_of_its_account(moved_bps: int, most_coins: float) -> None:
    """Positions of billions of USD, in the second case: concentrated, sized, recomputed."""
    found = leaves(Accounts.of(states(most_coins)), moved_bps)

    assert list(found) == [margin_leaf(state, tables(moved_bps))[0] for state in states(most_coins)]


@pytest.mark.parametrize("moved_bps", [0, -700])
def test_margin_leaves__coins_beside_the_book__pledged_as_for_one_account(moved_bps: int) -> None:
    coins = (
        (Collateral(1, 1, 1_000, 500, 3 * WAD),),
        (Collateral(2, 2, 800, 400, 40 * WAD + 7),),
        (Collateral(1, 1, 1_000, 500, WAD // 3), Collateral(3, 1, 1_500, 1_500, 2 * WAD)),
        (Collateral(1, 1, 1_000, 500, 10**9), Collateral(2, 2, 800, 400, 100 * WAD)),
    )
    pledged = tuple(replace(s, collateral=coins[i % 4]) for i, s in enumerate(states()) if i % 2)
    found = leaves(Accounts.of(pledged), moved_bps)

    expected = [margin_leaf(state, tables(moved_bps)) for state in pledged]
    assert list(found) == [leaf for leaf, _ in expected]
    used = [t for _, margin in expected for t in margin.breakdown["collateral"]]
    assert any(0 < int(t["pledged_initial"]) < int(t["amount"]) for t in used)
    assert any(t["pledged_initial"] == t["amount"] for t in used)


def test_batch_unit_margins__whole_universe__as_one_at_a_time() -> None:
    table = tables().effective
    arrays = batch_tables(tables()).effective

    assert batch_unit_margins(arrays, table.units) == unit_margins(table, table.units)


def test_breakdown_hash__any_charge_changed__another() -> None:
    breakdown = account_margin(states()[7].legs, tables().effective).breakdown
    charges = charges_of(breakdown)
    assert (len(charges), len(TYPEHASH)) == (len(CHARGES), 32)
    assert charges[0] == sum(int(group["loss"]) for group in breakdown["scan"])
    changed = {**breakdown, "addons": {**breakdown["addons"], "perps": str(charges[11] + 1)}}
    assert breakdown_hash(changed) != breakdown_hash(breakdown)
    coins = [{"index": 1, "pledged_initial": "5", "pledged_maintenance": "0"}]
    assert breakdown_hash({**breakdown, "collateral": coins}) != breakdown_hash(breakdown)


def test_margin_leaves__nobody__nothing() -> None:
    assert len(leaves(Accounts.of([]))) == 0
    assert isinstance(tables().effective.market, Market)


def test_joined__parts_of_the_accounts__the_figures_of_all() -> None:
    accounts, arrays = Accounts.of(states()), batch_tables(tables(-700))
    parts = [figures_of(accounts[i : i + 50], arrays) for i in range(0, ACCOUNTS, 50)]

    assert margin_leaves(accounts, joined(parts)) == leaves(accounts, -700)
