"""How quotes of every kind enter a fit."""

from typing import Any

import numpy as np
import pytest

from keeper.pricing import black76
from keeper.sources.option_quote import OptionQuote
from keeper.sources.smile_quotes import smile_quotes

FORWARD = 100.0


def quote(strike: float = 100.0, is_call: bool = True, **told: Any) -> OptionQuote:
    return OptionQuote("BTC", 1_000, strike, is_call, 0, 0.1, forward=FORWARD, **told)


def test_smile_quotes__mark_inside__target_is_the_mark() -> None:
    found = smile_quotes([quote(bid_vol=0.5, ask_vol=0.6, mark_vol=0.58)], FORWARD)
    assert found.target == pytest.approx([0.58]) and found.width == pytest.approx([0.1])


def test_smile_quotes__mark_outside__held_at_the_ask_but_measured_as_it_is() -> None:
    found = smile_quotes([quote(bid_vol=0.5, ask_vol=0.6, mark_vol=0.65)], FORWARD)
    assert found.target == pytest.approx([0.6]) and found.reference == pytest.approx([0.65])


def test_smile_quotes__no_mark__middle() -> None:
    assert smile_quotes([quote(bid_vol=0.5, ask_vol=0.6)], FORWARD).target == pytest.approx([0.55])


def test_smile_quotes__crossed__mark_with_little_weight() -> None:
    crossed = smile_quotes([quote(bid_vol=0.6, ask_vol=0.5, mark_vol=0.7)], FORWARD)
    plain = smile_quotes([quote(bid_vol=0.5, ask_vol=0.6, mark_vol=0.55)], FORWARD)
    assert crossed.target == pytest.approx([0.7]) and crossed.weights[0] < plain.weights[0]
    assert crossed.states == {"crossed": 1}


def test_smile_quotes__one_side_with_a_mark__bounds_it() -> None:
    found = smile_quotes([quote(ask_vol=0.5, mark_vol=0.7)], FORWARD)
    assert found.target == pytest.approx([0.5]) and found.states == {"one-sided": 1}


def test_smile_quotes__one_side_alone__ignored_and_counted() -> None:
    found = smile_quotes([quote(ask_vol=0.5)], FORWARD)
    assert found.k.size == 0 and found.ignored == {"one side without a mark": 1}


def test_smile_quotes__empty__ignored_and_counted() -> None:
    assert smile_quotes([quote()], FORWARD).ignored == {"empty": 1}


def test_smile_quotes__mark_of_a_worthless_option__ignored() -> None:
    found = smile_quotes([quote(strike=900.0, mark_vol=0.5, ask_vol=2.0)], FORWARD)
    assert found.ignored == {"price without information on the vol": 1}


def test_smile_quotes__both_of_a_strike__out_of_the_money_stands() -> None:
    pair = [quote(90.0, True, mark_vol=0.9), quote(90.0, False, mark_vol=0.8)]
    found = smile_quotes(pair, FORWARD)
    assert found.target == pytest.approx([0.8])
    assert found.ignored == {"the other option of the strike stands for it": 1}


def test_smile_quotes__in_the_money_alone__used() -> None:
    assert smile_quotes([quote(90.0, True, mark_vol=0.9)], FORWARD).target == pytest.approx([0.9])


def test_smile_quotes__prices__turned_into_vols() -> None:
    # at the money: price of about 0.4 * F * vol * sqrt(years) (Brenner and Subrahmanyam 1988)
    price = 0.4 * FORWARD * 0.6 * np.sqrt(0.1)
    found = smile_quotes([quote(bid=0.99 * price, ask=1.01 * price)], FORWARD)
    assert found.target == pytest.approx([0.6], rel=0.01)


def test_smile_quotes__price_below_intrinsic__no_vol() -> None:
    found = smile_quotes([quote(50.0, True, bid=40.0, ask=45.0)], FORWARD)
    assert found.k.size == 0


def test_smile_quotes__discounted_prices__vol_of_the_forward_price() -> None:
    price = float(
        black76.price(is_call=True, forward=FORWARD, strike=110.0, years=0.1, vol=0.6, discount=0.9)
    )
    found = smile_quotes([quote(110.0, mark=price, discount=0.9)], FORWARD)
    assert found.target == pytest.approx([0.6], rel=1e-9)
