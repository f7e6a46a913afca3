"""The quotes of one expiry as vols to fit: one a strike, each with what is known of its precision."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.pricing import black76
from keeper.pricing.kernels import Floats
from keeper.sources.option_quote import OptionQuote, QuoteState

# venues round prices: a smaller share of the forward cannot be turned into a vol
_LEAST_PRICE = 5e-5
# width of a vol that has no spread of its own, as a share of it
_LONE_WIDTH = 0.2
_LEAST_WIDTH = 0.005


@dataclass(frozen=True)
class SmileQuotes:
    """Usable quotes of one expiry, by rising strike; arrays of the same length, vols annualised.

    Attributes:
        forward: of the expiry, USD.
        years: time to expiry.
        k: ln(strike / forward of the quote).
        bid_vol: nan where there is none, as in `ask_vol`.
        target: the vol to fit: the mark held inside the quote, or the middle.
        reference: the vol that errors are measured against: the mark, or the middle.
        width: how far the target may be off: bid to ask, or a guess where a side is missing.
        states: how many quotes are two-sided, one-sided, crossed, mark only, empty.
        ignored: why quotes are not among the usable, and how many.
    """

    underlying: str
    expiry: int
    timestamp: int
    years: float
    forward: float
    strike: Floats
    k: Floats
    bid_vol: Floats
    ask_vol: Floats
    target: Floats
    reference: Floats
    width: Floats
    states: Mapping[str, int]
    ignored: Mapping[str, int]

    @property
    def variance(self) -> Floats:
        """Total variance of the targets."""
        return np.asarray(self.target**2 * self.years)

    @property
    def weights(self) -> Floats:
        """Of squared errors in total variance: such that a squared error in price counts with vega over the
        spread. Dividing by the spread once more would leave the wings out.
        """
        width = np.maximum(self.width, _LEAST_WIDTH)
        return np.asarray((2.0 * self.target * self.years) ** -2.0 / width)


def smile_quotes(quotes: Sequence[OptionQuote], forward: float) -> SmileQuotes:
    """Usable quotes of one expiry.

    The out-of-the-money option of a strike stands for it, the other only where that one says nothing. A
    crossed quote counts as its mark, or else its middle, with the crossing as width. A side alone counts
    with a mark, which it bounds; without one it is ignored, as are vols that carry no information.

    Args:
        quotes: all of one underlying and expiry, at least one.
        forward: USD, of quotes that record none.
    """
    first = quotes[0]
    columns = _columns(quotes, forward)
    target, width, reference = _targets(quotes, columns)
    usable = np.isfinite(target) & _is_informative(quotes, columns, reference)
    chosen = _chosen(quotes, columns["forward"], usable)
    states = Counter(q.state.value for q in quotes)
    ignored = Counter(
        _reason(q) if not u else "the other option of the strike stands for it"
        for q, u, c in zip(quotes, usable, chosen, strict=True)
        if not c
    )
    order = [i for i in np.argsort([q.strike for q in quotes], kind="stable") if chosen[i]]
    strike = np.array([quotes[i].strike for i in order], dtype=np.float64)
    return SmileQuotes(
        first.underlying,
        first.expiry,
        max(q.timestamp for q in quotes),
        float(np.median([q.years for q in quotes])),
        forward,
        strike,
        np.log(strike / columns["forward"][order]),
        columns["bid_vol"][order],
        columns["ask_vol"][order],
        target[order],
        reference[order],
        width[order],
        dict(states),
        dict(ignored),
    )


def _columns(quotes: Sequence[OptionQuote], forward: float) -> dict[str, Floats]:
    """Vols as recorded, else of the prices; nan where neither says."""
    columns = {"forward": _column([q.forward or forward for q in quotes])}
    for side in ("bid", "ask", "mark"):
        recorded = _column([getattr(q, f"{side}_vol") for q in quotes])
        price = _column([getattr(q, side) for q in quotes])
        implied = _implied(quotes, columns["forward"], price)
        columns[f"{side}_vol"] = np.where(np.isfinite(recorded), recorded, implied)
    return columns


def _column(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _implied(quotes: Sequence[OptionQuote], forward: Floats, price: Floats) -> Floats:
    """Vols of prices, nan where the price is missing, too small or outside its bounds."""
    found = np.full(price.shape, np.nan)
    told = np.flatnonzero(price > _LEAST_PRICE * forward)
    if told.size:
        found[told] = black76.implied_vol(
            is_call=np.array([quotes[i].is_call for i in told]),
            forward=forward[told],
            strike=np.array([quotes[i].strike for i in told]),
            years=np.array([quotes[i].years for i in told]),
            price=price[told],
            discount=np.array([quotes[i].discount for i in told]),
            invalid="nan",
        )
    return found


def _targets(quotes: Sequence[OptionQuote], columns: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Target, width and reference vol of each quote, nan where it says nothing."""
    bid, ask, mark = (columns[f"{side}_vol"] for side in ("bid", "ask", "mark"))
    crossed = np.array([q.state is QuoteState.CROSSED for q in quotes]) | (bid > ask)
    middle = (bid + ask) / 2.0
    held = np.where(crossed, mark, np.fmin(np.fmax(mark, bid), ask))
    target = np.where(np.isfinite(mark), held, middle)
    spread = np.abs(ask - bid)
    one_sided = 2.0 * np.fmax(np.abs(ask - mark), np.abs(mark - bid)) + _LONE_WIDTH * mark
    width = np.where(np.isfinite(spread), spread, np.where(np.isfinite(one_sided), one_sided, np.inf))
    width = np.where(np.isfinite(width), width, 2.0 * _LONE_WIDTH * target)
    width = np.where(crossed, width + _LONE_WIDTH * target, width)
    return target, width, np.where(np.isfinite(mark), mark, middle)


def _is_informative(
    quotes: Sequence[OptionQuote], columns: Mapping[str, Floats], vol: Floats
) -> npt.NDArray[np.bool_]:
    """Quoted on both sides, or worth something: a mark's vol where its price is zero is a venue's guess."""
    both = np.isfinite(columns["bid_vol"]) & np.isfinite(columns["ask_vol"])
    forward = columns["forward"]
    strike = _column([q.strike for q in quotes])
    value = black76.price(
        is_call=strike >= forward,
        forward=forward,
        strike=strike,
        years=np.array([q.years for q in quotes]),
        vol=np.where(np.isfinite(vol), vol, 0.0),
    )
    return np.asarray(both | (value > _LEAST_PRICE * forward))


def _chosen(quotes: Sequence[OptionQuote], forward: Floats, usable: npt.NDArray[np.bool_]) -> list[bool]:
    """One usable quote a strike, out of the money before in the money."""
    best: dict[float, int] = {}
    for i, quote in enumerate(quotes):
        is_out = quote.is_call == (quote.strike >= forward[i])
        if usable[i] and (quote.strike not in best or is_out):
            best[quote.strike] = i
    kept = set(best.values())
    return [i in kept for i in range(len(quotes))]


def _reason(quote: OptionQuote) -> str:
    match quote.state:
        case QuoteState.EMPTY:
            return "empty"
        case QuoteState.ONE_SIDED if quote.mark is None and quote.mark_vol is None:
            return "one side without a mark"
        case _:
            return "price without information on the vol"
