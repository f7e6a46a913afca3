"""Snapshots, epochs and reports: round trips, proofs, reproducibility and named differences."""

from dataclasses import replace

import pytest

from keeper.attestation.epoch import EpochStatement, build, first_difference, posted_spots
from keeper.attestation.merkle import root_from
from keeper.attestation.report import build_report
from keeper.attestation.snapshot import AccountState, Snapshot
from keeper.attestation.typed_data import leaf
from keeper.markets.instrument import Instrument, Kind, Leg
from keeper.risk.collateral import Collateral
from keeper.risk.methodology import Methodology
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import market_of
from keeper.units.constants import WAD

METHODOLOGY = Methodology.default()
NOW = 1_743_850_000
EXPIRY = NOW + 7 * 86_400


def make_snapshot(block: int = 10) -> Snapshot:
    observed = RecordedSource("binance").observe(NOW, {1: [EXPIRY], 2: [EXPIRY]})
    market = market_of(observed, observed.spots)
    call = Instrument(2, EXPIRY, 180_000_000_000, Kind.CALL).pack()
    perp = Instrument(2, 0, 0, Kind.PERP).pack()
    accounts = (
        AccountState(1, (Leg(perp, WAD), Leg(call, -2 * WAD)), 5, -7, bytes(32)),
        AccountState(2, (Leg(perp, -WAD),), 0, 0, b"\1" * 32, 1),
        AccountState(9, (), 0, 0, bytes(32)),
    )
    return Snapshot(31337, block, b"\2" * 32, market, accounts, (perp, call), METHODOLOGY.hash())


def make_epoch(snapshot: Snapshot | None = None, number: int = 3) -> EpochStatement:
    return build(snapshot or make_snapshot(), METHODOLOGY, number)


def test_snapshot__json_round_trip__same_text_and_hash() -> None:
    snapshot = make_snapshot()
    again = Snapshot.from_json(snapshot.to_json())
    assert (again, again.to_bytes(), again.hash()) == (snapshot, snapshot.to_bytes(), snapshot.hash())


def test_snapshot__any_section_changed__other_hash() -> None:
    snapshot = make_snapshot()
    changed = replace(snapshot.accounts[0], added_mark=-8)
    variants = [
        replace(snapshot, chain_id=1),
        replace(snapshot, accounts=(changed, *snapshot.accounts[1:])),
        replace(snapshot, instruments=snapshot.instruments[:1]),
        replace(snapshot, market=replace(snapshot.market, timestamp=NOW + 1)),
        replace(snapshot, market=replace(snapshot.market, settlement_price=99_000_000)),
        with_eth(snapshot, volatility_scale_ppm=1_500_000),
        with_eth(snapshot, confidence_ppm=400_000),
    ]
    assert len({s.hash() for s in [snapshot, *variants]}) == len(variants) + 1
    assert all(Snapshot.from_json(s.to_json()) == s for s in variants)


def with_eth(snapshot: Snapshot, **changes: int) -> Snapshot:
    """The snapshot with another state of ETH."""
    btc, eth = snapshot.market.underlyings
    return replace(snapshot, market=replace(snapshot.market, underlyings=(btc, replace(eth, **changes))))


def test_build__doubtful_prices_and_depeg__higher_margins() -> None:
    snapshot = make_snapshot()
    plain = make_epoch(snapshot).margin(1)
    depegged = replace(snapshot, market=replace(snapshot.market, settlement_price=97_000_000))
    for changed in (with_eth(snapshot, confidence_ppm=400_000), depegged):
        assert make_epoch(changed).margin(1).initial_margin > plain.initial_margin * 105 // 100


@pytest.mark.parametrize("changes", [{"volatility_scale_ppm": 0}, {"confidence_ppm": 1_000_001}])
def test_snapshot__impossible_state_of_an_underlying__refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="market: bad volatility scale or confidence of underlying 2"):
        with_eth(make_snapshot(), **changes)


def with_coins(snapshot: Snapshot, *coins: Collateral) -> Snapshot:
    """The snapshot with collateral on account 2, which is short a perp."""
    first, second, *rest = snapshot.accounts
    return replace(snapshot, accounts=(first, replace(second, collateral=coins), *rest))


def test_snapshot__collateral__round_trip_and_hash() -> None:
    coins = (Collateral(1, 2, 1_000, 500, 3 * WAD), Collateral(4, 1, 1_500, 700, WAD // 7))
    snapshot = with_coins(make_snapshot(), *coins)
    assert Snapshot.from_json(snapshot.to_json()) == snapshot
    variants = [
        (),
        coins[:1],
        (replace(coins[0], amount=3 * WAD - 1), coins[1]),
        (replace(coins[0], maintenance_haircut=501), coins[1]),
    ]
    hashes = {with_coins(snapshot, *variant).hash() for variant in variants}
    assert len(hashes | {snapshot.hash()}) == 5


def test_snapshot__collateral_not_ascending__refused() -> None:
    coin = Collateral(1, 2, 1_000, 500, WAD)
    with pytest.raises(ValueError, match="snapshot: collateral of account 2 is not ascending"):
        with_coins(make_snapshot(), coin, coin)


def test_snapshot__collateral_row_too_short__refused() -> None:
    text = with_coins(make_snapshot(), Collateral(1, 2, 1_000, 500, WAD)).to_json()
    with pytest.raises(ValueError, match="snapshot: malformed"):
        Snapshot.from_json(text.replace('["1","2","1000","500",', '["1","2","1000",'))


def test_snapshot__unknown_format__refused() -> None:
    with pytest.raises(ValueError, match="snapshot: unknown format 1"):
        Snapshot.from_json(make_snapshot().to_json().replace('"format":3', '"format":1'))


def test_snapshot__missing_field__refused() -> None:
    with pytest.raises(ValueError, match="snapshot: malformed"):
        Snapshot.from_json('{"format":3}')


def test_build__all_leaves__prove_against_the_combined_root() -> None:
    e = make_epoch()
    for account in (1, 2, 9):
        assert root_from(leaf(e.margin(account).struct_hash()), e.account_proof(account)) == e.root
    for item in e.instruments:
        assert root_from(leaf(item.struct_hash()), e.instrument_proof(item.instrument)) == e.root
    for forward in e.forwards:
        proof = e.forward_proof(forward.underlying, forward.expiry)
        assert root_from(leaf(forward.struct_hash()), proof) == e.root


def test_build__empty_account__zero_margin() -> None:
    statement = make_epoch().margin(9)
    assert (statement.mark_to_market, statement.initial_margin, statement.maintenance_posted) == (0, 0, 0)


def test_build__new_account_tier__marginal_multiplier_covers_it() -> None:
    e = make_epoch()
    # the steepest liquidity add-on; 1.15 of the tier over the least of all tiers, .90
    assert (e.margin(1).marginal, e.margin(2).marginal) == (115 * 10**16, -(-115 * 10**18 // 90))


def test_posting__outside_the_band__leaves_out_what_the_oracle_knows() -> None:
    snapshot = make_snapshot()
    eth = snapshot.market.underlyings[1]
    moved = replace(eth, posted=eth.effective * 9 // 10)
    market = replace(snapshot.market, underlyings=(snapshot.market.underlyings[0], moved))
    e = build(replace(snapshot, market=market), METHODOLOGY, 1)

    assert posted_spots(e.spots) == [u.posted for u in market.underlyings]
    known = (e.epoch.block_hash, e.epoch.spots_hash)
    assert list(e.epoch.posting()) == [value for value in e.epoch.values() if value not in known]


def test_build__outside_the_band__posted_figures_differ() -> None:
    snapshot = make_snapshot()
    eth = snapshot.market.underlyings[1]
    moved = replace(eth, posted=eth.effective * 9 // 10)
    market = replace(snapshot.market, underlyings=(snapshot.market.underlyings[0], moved))
    statement = build(replace(snapshot, market=market), METHODOLOGY, 1).margin(2)
    assert (
        statement.mark_posted == statement.mark_to_market * 9 // 10
        or statement.mark_posted > statement.mark_to_market
    )


def test_build__short_perp_and_coins__covered_at_both_spots() -> None:
    snapshot = make_snapshot()
    eth = snapshot.market.underlyings[1]
    moved = replace(eth, posted=eth.effective * 9 // 10)
    market = replace(snapshot.market, underlyings=(snapshot.market.underlyings[0], moved))
    plain = replace(snapshot, market=market)
    bare, covered = (
        build(s, METHODOLOGY, 1).margin(2)
        for s in (plain, with_coins(plain, Collateral(1, 2, 1_000, 500, WAD)))
    )
    assert bare.initial_margin > bare.maintenance_margin > bare.maintenance_posted > 0
    assert (covered.initial_margin, covered.maintenance_margin, covered.maintenance_posted) == (0, 0, 0)
    # coins are the chain's to value: the mark is of the legs alone
    assert (covered.mark_to_market, covered.mark_posted) == (bare.mark_to_market, bare.mark_posted)


def test_build_report__account_with_coins__same_margins_as_the_leaf() -> None:
    snapshot = with_coins(make_snapshot(), Collateral(1, 2, 1_000, 500, WAD // 2))
    e = make_epoch(snapshot)
    after = snapshot.accounts[1]
    report, margin = build_report(
        snapshot, METHODOLOGY, epoch=3, action=bytes(32), after=after, deadline=NOW, tables=e.tables
    )
    assert report.margin == e.margin(2)
    assert margin.breakdown["collateral"][0]["pledged_initial"] == str(WAD // 2)


def test_build__other_methodology__refused() -> None:
    with pytest.raises(ValueError, match="attestation: snapshot of another methodology"):
        make_epoch(replace(make_snapshot(), methodology_hash=bytes(32)))


def test_first_difference__rebuilt__none() -> None:
    assert first_difference(make_epoch(), make_epoch(Snapshot.from_json(make_snapshot().to_json()))) is None


def test_first_difference__one_margin_forged__named() -> None:
    ours = make_epoch()
    forged = replace(ours.margins[0], initial_margin=1)
    theirs = replace(ours, margins=(forged, *ours.margins[1:]))
    found = first_difference(ours, theirs)
    assert found == f"margin 1 initial_margin: {ours.margins[0].initial_margin} here, 1 there"


def test_build_report__unchanged_account__same_margins_as_the_leaf() -> None:
    snapshot = make_snapshot()
    e = make_epoch(snapshot)
    report, _ = build_report(
        snapshot,
        METHODOLOGY,
        epoch=3,
        action=b"\7" * 32,
        after=snapshot.accounts[0],
        deadline=NOW + 60,
        tables=e.tables,
    )
    assert report.margin == e.margin(1)
    assert (report.epoch, report.action, report.deadline) == (3, b"\7" * 32, NOW + 60)
