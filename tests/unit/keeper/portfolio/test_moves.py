"""Moves of a market."""

import pytest

from keeper.portfolio.market_state import Expiry, MarketState, Underlying
from keeper.portfolio.moves import Change, later, parse_change, parse_time, with_spots, with_vols
from keeper.pricing.svi import Svi

NOW = 1_744_113_600
FAR = NOW + 60 * 86_400
SOON = NOW + 600
SMILE = Svi(0.02, 0.05, -0.2, 0.0, 0.3)


def market() -> MarketState:
    expiries = {
        FAR: Expiry(FAR, 101.0, smile=SMILE),
        SOON: Expiry(SOON, 99.5, fixed=66.0, vols=((90.0, 0.6), (110.0, 0.5))),
    }
    return MarketState(
        NOW, {"BTC": Underlying("BTC", 100.0, 102.0, expiries), "ETH": Underlying("ETH", 5.0, 5.0, {})}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BTC=-10%", Change("BTC", "factor", 0.9)),
        ("+20%", Change(None, "factor", 1.2)),
        ("eth=-5", Change("ETH", "add", -5.0)),
        ("BTC=+500", Change("BTC", "add", 500.0)),
        ("BTC=90000", Change("BTC", "set", 90_000.0)),
    ],
)
def test_parse_change__as_written__what_it_means(text: str, expected: Change) -> None:
    found = parse_change(text)
    assert (found.symbol, found.kind) == (expected.symbol, expected.kind)
    assert found.amount == pytest.approx(expected.amount)


@pytest.mark.parametrize("text", ["", "BTC", "BTC=", "ten%", "BTC=1e3", "-10 %x"])
def test_parse_change__no_change__refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no change: write"):
        parse_change(text)


def test_parse_time__units__seconds() -> None:
    assert [parse_time(t) for t in ("+2d", "12h", "30m", "90s", "1.5d")] == [
        172_800,
        43_200,
        1_800,
        90,
        129_600,
    ]
    with pytest.raises(ValueError, match="is no time"):
        parse_time("-1d")


def test_with_spots__ten_percent_down__forward_and_perp_in_proportion_fixed_part_not() -> None:
    moved = with_spots(market(), [Change(None, "factor", 0.9), Change("ETH", "set", 6.0)])
    btc = moved.underlyings["BTC"]
    assert (btc.spot, btc.perp, moved.underlyings["ETH"].spot) == pytest.approx((90.0, 91.8, 6.0))
    assert btc.expiry(FAR).forward == pytest.approx(90.9)
    assert btc.expiry(SOON).forward == pytest.approx(66.0 + 33.5 * 0.9)


def test_with_spots__any_move__every_strike_keeps_its_vol() -> None:
    before = market()
    moved = with_spots(with_spots(before, [Change("BTC", "factor", 0.7)]), [Change("BTC", "factor", 1.6)])
    for expiry in (FAR, SOON):
        old, new = (m.underlyings["BTC"].expiry(expiry) for m in (before, moved))
        for strike in (80.0, 90.0, 100.0, 120.0):
            assert new.vol(strike, before.years(expiry)) == pytest.approx(
                old.vol(strike, before.years(expiry))
            )


def test_with_vols__five_points_down__at_the_money_and_others_in_proportion() -> None:
    before = market()
    moved = with_vols(before, [Change("BTC", "add", -5.0)])
    for expiry in (FAR, SOON):
        old, new = (m.underlyings["BTC"].expiry(expiry) for m in (before, moved))
        years, forward = before.years(expiry), old.forward
        assert new.vol(forward, years) == pytest.approx(old.vol(forward, years) - 0.05)
        factor = new.vol(forward, years) / old.vol(forward, years)
        assert new.vol(90.0, years) == pytest.approx(factor * old.vol(90.0, years))


def test_with_spots__impossible__refused() -> None:
    with pytest.raises(ValueError, match="spot of BTC would be"):
        with_spots(market(), [Change("BTC", "add", -200.0)])
    with pytest.raises(ValueError, match="would not be positive"):
        with_vols(market(), [Change("BTC", "add", -90.0)])
    with pytest.raises(LookupError, match="no underlying SOL"):
        with_spots(market(), [Change("SOL", "factor", 1.1)])


def test_later__half_the_time__carry_halves_and_vols_stay() -> None:
    before = market()
    after = later(before, 30 * 86_400)
    far = after.underlyings["BTC"].expiry(FAR)
    assert after.timestamp == NOW + 30 * 86_400
    assert far.forward == pytest.approx(100.0 * 1.01**0.5)
    old = before.underlyings["BTC"].expiry(FAR)
    assert far.vol(90.0, after.years(FAR)) == pytest.approx(old.vol(90.0, before.years(FAR)))


def test_later__inside_the_window__the_average_goes_on_at_the_spot() -> None:
    after = later(market(), 300).underlyings["BTC"].expiry(SOON)
    # 1,200 of 1,800 seconds were averaged, 300 more at 100; the rest, at 100.5, keeps half of its carry
    assert after.fixed == pytest.approx(66.0 + 300 / 1_800 * 100.0)
    assert after.forward == pytest.approx(after.fixed + 300 / 1_800 * 100.0 * 1.005**0.5)


def test_later__past_the_expiry__all_of_it_is_known() -> None:
    after = later(market(), 3_600).underlyings["BTC"].expiry(SOON)
    assert after.fixed == after.forward == pytest.approx(66.0 + 100.0 / 3.0)
