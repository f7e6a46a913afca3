"""From a venue's live quotes to what a source observes: forwards and slices of the listed expiries."""

from collections.abc import Mapping, Sequence

from keeper.pricing.surface import Surface
from keeper.sources.chain_fit import fit_chain
from keeper.sources.option_quote import OptionQuote, latest
from keeper.sources.source import ExpiryQuote, Listed

_PRICE_UNIT = 10**8


def observe_chain(
    quotes: Sequence[OptionQuote],
    now: int,
    listed: Listed,
    symbols: Mapping[int, str],
    last: Mapping[str, Surface] | None = None,
) -> tuple[dict[tuple[int, int], ExpiryQuote], dict[str, Surface]]:
    """Forward and slice of each listed expiry, and the surfaces they come from, to pass as `last` next time.

    Listed expiries that the venue does not quote lie between, before or after those it does.

    Args:
        quotes: of all underlyings, in any order; their `years` are to `now`.
        now: chain time, unix seconds.
        listed: expiries wanted, by underlying.
        symbols: the underlying's name in the quotes, by underlying.
        last: the last good surfaces, by symbol: all there is for an underlying without quotes.

    Raises:
        LookupError: a listed underlying has neither quotes nor a last surface, or an expiry has passed.
    """
    known = dict(last or {})
    expiries: dict[tuple[int, int], ExpiryQuote] = {}
    for underlying in sorted(u for u, wanted in listed.items() if wanted):
        symbol = symbols[underlying]
        own = [q for q in quotes if q.underlying == symbol and q.expiry > now]
        if own:
            known[symbol] = fit_chain(latest(own), symbol, known.get(symbol)).surface
        if symbol not in known:
            raise LookupError(f"chains: no option quotes of {symbol} and no last surface; wait for quotes")
        surface, wanted = known[symbol], sorted(listed[underlying])
        for expiry, found in zip(wanted, surface.slices_at(wanted), strict=True):
            forward = round(surface.forward(expiry) * _PRICE_UNIT)
            expiries[(underlying, expiry)] = ExpiryQuote(forward, found.quantise())
    return expiries, known


class ChainObserver:
    """Fits one coin's quotes at a time, and remembers each coin's last good surface."""

    def __init__(self) -> None:
        self._last: dict[str, Surface] = {}

    def __call__(
        self, quotes: Sequence[OptionQuote], now: int, expiries: Sequence[int]
    ) -> Mapping[int, ExpiryQuote]:
        """Forward and slice of each expiry wanted.

        Args:
            quotes: of one coin; without any, the last surface stands where only one coin is known.
            now: chain time, unix seconds.

        Raises:
            LookupError: no quotes and no last surface, or an expiry has passed.
        """
        names = {q.underlying for q in quotes} or set(self._last)
        if len(names) != 1:
            raise LookupError("chains: no option quotes, and no last surface; wait for quotes")
        (symbol,) = names
        found, self._last = observe_chain(quotes, now, {0: expiries}, {0: symbol}, self._last)
        return {expiry: quote for (_, expiry), quote in found.items()}
