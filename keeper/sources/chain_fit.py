"""A fitted chain: one underlying's surface, with what each expiry's fit is worth."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keeper.pricing.forward import put_call_parity
from keeper.pricing.ssvi import Quotes
from keeper.pricing.surface import Surface, Tenor
from keeper.pricing.surface_calibration import CalibratedSlice, Progress, calibrate_surface
from keeper.pricing.svi_slice import Svi, total_variance
from keeper.sources.option_quote import Chain, OptionQuote
from keeper.sources.smile_quotes import SmileQuotes, smile_quotes


@dataclass(frozen=True)
class SliceFit:
    """One expiry.

    Attributes:
        quotes: usable quotes.
        parameters: raw SVI, rounded as published.
        method: "svi", or "ssvi" where there are fewer than five quotes.
        median_error: |fit - mark or middle|, vol points (1 = 1 %), as `largest_error`.
        inside: share of the two-sided quotes whose bid and ask enclose the fit.
        problems: arbitrage of the best fit to this expiry alone, removed.
    """

    quotes: SmileQuotes
    parameters: Svi
    method: str
    median_error: float
    largest_error: float
    inside: float
    problems: tuple[str, ...]

    @property
    def at_money_vol(self) -> float:
        """Vol at the forward."""
        return float(np.sqrt(self.parameters.at_money / self.quotes.years))


@dataclass(frozen=True)
class ChainFit:
    """One underlying.

    Attributes:
        slices: of the expiries with usable quotes, nearest first.
        surface: of all expiries in the chain that can be had.
        unquoted: expiries without a usable quote; taken from the last good surface, or left out.
    """

    underlying: str
    timestamp: int
    spot: float | None
    slices: tuple[SliceFit, ...]
    surface: Surface
    unquoted: tuple[int, ...]


def fit_chain(
    chain: Chain,
    underlying: str | None = None,
    last: Surface | None = None,
    progress: Progress = lambda share: None,
) -> ChainFit:
    """The surface of one underlying of a chain, free of arbitrage.

    Args:
        underlying: may be left out where the chain has one.
        last: the last good surface: where the fit starts, and all there is where there are no quotes.
        progress: told the share of the work that is done.

    Raises:
        LookupError: no such underlying, or several and none is named.
        ValueError: no quote says anything of a vol, and there is no last surface.
    """
    name = _underlying(chain, underlying)
    groups: dict[int, list[OptionQuote]] = defaultdict(list)
    for quote in chain.quotes:
        if quote.underlying == name:
            groups[quote.expiry].append(quote)
    smiles = [smile_quotes(group, forward_of(group)) for _, group in sorted(groups.items())]
    usable = [s for s in smiles if s.k.size]
    unquoted = tuple(s.expiry for s in smiles if not s.k.size)
    spot = next((q.spot for q in reversed(chain.quotes) if q.underlying == name and q.spot), None)
    if not usable:
        if last is None:
            raise ValueError(f"chains: no quote of {name} says anything of a vol; give the last good surface")
        return ChainFit(name, chain.timestamp, spot, (), last, unquoted)
    started = [_slice_of(last, s.expiry) for s in usable]
    fitted = calibrate_surface([Quotes(s.k, s.variance, s.weights) for s in usable], started, progress)
    slices = tuple(_slice_fit(s, c) for s, c in zip(usable, fitted.slices, strict=True))
    tenors = [Tenor(s.quotes.expiry, s.quotes.years, s.quotes.forward, s.parameters) for s in slices]
    return ChainFit(name, chain.timestamp, spot, slices, Surface(tuple(tenors)), unquoted)


def forward_of(quotes: Sequence[OptionQuote]) -> float:
    """Forward of one expiry: the median of the recorded, else what put-call parity gives.

    Raises:
        ValueError: neither is there.
    """
    recorded = [q.forward for q in quotes if q.forward is not None]
    if recorded:
        return float(np.median(recorded))
    sides: Mapping[bool, dict[float, OptionQuote]] = {True: {}, False: {}}
    for quote in quotes:
        if quote.bid is not None and quote.ask is not None and quote.bid <= quote.ask:
            sides[quote.is_call][quote.strike] = quote
    strikes = sorted(sides[True].keys() & sides[False].keys())
    pairs = [(sides[True][k], sides[False][k]) for k in strikes]
    return put_call_parity(
        strike=strikes,
        call=[_middle(c) for c, _ in pairs],
        put=[_middle(p) for _, p in pairs],
        spread=[_spread(c) + _spread(p) for c, p in pairs],
        discount=quotes[0].discount,
    ).forward


def _underlying(chain: Chain, underlying: str | None) -> str:
    names = chain.underlyings
    if underlying is None and len(names) == 1:
        return names[0]
    if underlying not in names:
        raise LookupError(f"chains: name one of the underlyings {', '.join(names) or '(none is alive)'}")
    return underlying


def _slice_of(last: Surface | None, expiry: int) -> Svi | None:
    found = [t.slice for t in last.tenors if t.expiry == expiry] if last else []
    return found[0] if found else None


def _slice_fit(quotes: SmileQuotes, fitted: CalibratedSlice) -> SliceFit:
    variance = total_variance(parameters=fitted.parameters, log_moneyness=quotes.k)
    vol = np.sqrt(variance / quotes.years)
    error = 100.0 * np.abs(vol - quotes.reference)
    both = quotes.bid_vol <= quotes.ask_vol
    inside = (vol >= quotes.bid_vol) & (vol <= quotes.ask_vol)
    return SliceFit(
        quotes,
        fitted.parameters,
        fitted.method,
        float(np.median(error)),
        float(np.max(error)),
        float(np.mean(inside[both])) if np.any(both) else float("nan"),
        fitted.problems,
    )


def _middle(quote: OptionQuote) -> float:
    return ((quote.bid or 0.0) + (quote.ask or 0.0)) / 2.0


def _spread(quote: OptionQuote) -> float:
    return (quote.ask or 0.0) - (quote.bid or 0.0)
