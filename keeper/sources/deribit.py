"""Deribit as a source: index, perpetual and options of each coin.

The spot is the venue's index. The perpetual only bears witness: the farther its mark lies from the index, the
less the index is trusted, and beyond a limit not at all.
"""

from collections.abc import Mapping
from dataclasses import replace

from keeper.pricing.surface import Surface
from keeper.sources.chain_observation import observe_chain
from keeper.sources.deribit_feeds import CoinState, Feed
from keeper.sources.deribit_rest import DeribitError
from keeper.sources.option_quote import OptionQuote
from keeper.sources.source import PPM, Listed, Observation
from keeper.units.constants import BASIS_POINTS, SECONDS_PER_YEAR

_PRICE_UNIT = 10**8
_MAX_AHEAD_SECONDS = 60
_LAST_SECONDS = 3_600


class DeribitSource:
    """Spots, forwards and fitted surfaces of the coins that it is told the underlyings are."""

    def __init__(
        self,
        feed: Feed,
        underlyings: Mapping[int, str],
        venue: str = "deribit",
        max_basis_bps: int = 500,
        max_option_age: int = 900,
        refit_seconds: int = 30,
    ) -> None:
        """Args:
        max_basis_bps: of the perpetual's mark from the index.
        max_option_age: seconds; older option quotes are not fitted.
        refit_seconds: a surface younger than that is moved along with the index, not fitted anew: a whole
            chain takes a second or two. In an expiry's last hour it always is.
        """
        self.venue = venue
        self._feed = feed
        self._underlyings = dict(underlyings)
        self._last: dict[str, Surface] = {}  # where the next fit starts
        self._max_basis_bps = max_basis_bps
        self._max_option_age = max_option_age
        self._refit_seconds = refit_seconds
        self._fitted: dict[int, tuple[int, int]] = {}  # time and spot of the last fit

    def observe(self, now: int, listed: Listed) -> Observation:
        """The venue at chain time `now`; as old as its oldest index.

        Raises:
            LookupError: a listed underlying cannot be observed, or the venue's clock is ahead of the chain's.
        """
        spots, confidences, ages = {}, {}, [0]
        quotes: list[OptionQuote] = []
        fitted = dict(self._fitted)
        known = sorted(set(listed) & set(self._underlyings))
        for underlying in known:
            coin, wanted = self._underlyings[underlying], listed[underlying]
            needs_fit = bool(wanted) and not self._is_fitted(underlying, now, min(wanted))
            state = self._feed.state(coin, now, needs_fit)
            ages.append(self._age(coin, state.time, now))
            spots[underlying] = round(state.index * _PRICE_UNIT)
            confidences[underlying] = self._confidence(coin, state)
            if needs_fit:
                quotes += self._young(coin, state, now)
                fitted[underlying] = (now, spots[underlying])
            elif wanted:
                ages.append(now - fitted[underlying][0])
        asked = {u: listed[u] for u in known}
        found, self._last = observe_chain(quotes, now, asked, self._underlyings, self._last)
        self._fitted = fitted  # only now: a fit that failed must not make an old surface look new
        expiries = {
            (u, e): replace(quote, forward=quote.forward * spots[u] // fitted[u][1])
            for (u, e), quote in found.items()
        }
        return Observation(self.venue, now, max(ages), spots, expiries, confidences_ppm=confidences)

    def _is_fitted(self, underlying: int, now: int, nearest: int) -> bool:
        if underlying not in self._fitted or nearest - now <= _LAST_SECONDS:
            return False
        has_surface = self._underlyings[underlying] in self._last
        return has_surface and 0 <= now - self._fitted[underlying][0] < self._refit_seconds

    def _young(self, coin: str, state: CoinState, now: int) -> list[OptionQuote]:
        """Quotes to fit, with their time to expiry from now. An old surface is not a new one: without quotes
        there is none.
        """
        limit = self._max_option_age
        young = [q for q in state.options if now - q.timestamp <= limit and q.expiry > now]
        if not young:
            raise DeribitError(f"{self.venue}: no option quote of {coin} is younger than {limit} seconds")
        return [replace(q, years=(q.expiry - now) / SECONDS_PER_YEAR) for q in young]

    def _age(self, coin: str, time: int, now: int) -> int:
        if time > now + _MAX_AHEAD_SECONDS:
            raise DeribitError(f"{self.venue}: {coin} is {time - now} seconds ahead of our chain")
        return max(now - time, 0)

    def _confidence(self, coin: str, state: CoinState) -> int:
        basis = abs(state.perpetual / state.index - 1.0) * BASIS_POINTS
        if basis > self._max_basis_bps:
            text = f"perpetual of {coin} at {state.perpetual:g}, index {state.index:g}"
            raise DeribitError(f"{self.venue}: {text}: {basis:.0f} bps apart, at most {self._max_basis_bps}")
        return int(PPM * (1.0 - _beyond_calm(basis, self._max_basis_bps)))


def _beyond_calm(basis: float, limit: int) -> float:
    """0 up to a tenth of the limit, which funding brings back, then rising to 1 at the limit."""
    calm = limit / 10
    return max(basis - calm, 0.0) / (limit - calm)
