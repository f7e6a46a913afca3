"""Live quotes as what a source observes."""

from pathlib import Path

import pytest

from keeper.pricing import svi
from keeper.sources.chain_observation import ChainObserver, observe_chain
from keeper.sources.chains import read_chain
from tests.support import option_chain

NOW = int(option_chain.MOMENT.timestamp())
DAY = 86_400


def test_observe_chain__listed_between_the_quoted__free_of_arbitrage(tmp_path: Path) -> None:
    quotes = read_chain(option_chain.write(tmp_path / "c.csv", option_chain.rows())).quotes
    wanted = [NOW + DAY * d for d in (1, 2, 4, 6, 9, 30, 40, 100, 300)]
    found, surfaces = observe_chain(quotes, NOW, {7: wanted, 8: []}, {7: "BTC", 8: "ETH"})
    assert list(found) == [(7, expiry) for expiry in wanted]
    assert svi.arbitrage([svi.from_integers(quote.svi) for quote in found.values()]) == []
    assert found[(7, NOW + 2 * DAY)].forward == pytest.approx(80_000e8 * (1 + 0.05 * 2 / 365), rel=1e-9)
    assert list(surfaces) == ["BTC"]


def test_observe_chain__no_quotes__last_good_surface(tmp_path: Path) -> None:
    quotes = read_chain(option_chain.write(tmp_path / "c.csv", option_chain.rows())).quotes
    listed = {7: [NOW + 9 * DAY]}
    first, surfaces = observe_chain(quotes, NOW, listed, {7: "BTC"})
    assert observe_chain([], NOW + 60, listed, {7: "BTC"}, surfaces)[0] == first


def test_observe_chain__no_quotes_and_no_surface__lookup_error() -> None:
    with pytest.raises(LookupError, match="chains: no option quotes of BTC and no last surface"):
        observe_chain([], NOW, {7: [NOW + DAY]}, {7: "BTC"})


def test_chain_observer__quotes_then_none__remembers(tmp_path: Path) -> None:
    quotes = read_chain(option_chain.write(tmp_path / "c.csv", option_chain.rows())).quotes
    observer, expiry = ChainObserver(), NOW + 9 * DAY
    assert observer(quotes, NOW, [expiry]) == observer([], NOW + 60, [expiry])


def test_chain_observer__never_any_quotes__lookup_error() -> None:
    with pytest.raises(LookupError, match="chains: no option quotes, and no last surface"):
        ChainObserver()([], NOW, [NOW + DAY])
