"""What people trade: the named books of a backtest. Fixed, like the random ones beside them."""

from keeper.analysis.books import BookRecipe, LegRecipe
from keeper.markets.instrument import Kind


def _perp(symbol: str, share: float) -> LegRecipe:
    return LegRecipe(symbol, Kind.PERP, share)


def _future(symbol: str, share: float, days: int) -> LegRecipe:
    return LegRecipe(symbol, Kind.FUTURE, share, days)


def _call(symbol: str, share: float, days: int, deviations: float = 0.0) -> LegRecipe:
    return LegRecipe(symbol, Kind.CALL, share, days, deviations)


def _put(symbol: str, share: float, days: int, deviations: float = 0.0) -> LegRecipe:
    return LegRecipe(symbol, Kind.PUT, share, days, deviations)


def _pair(symbol: str, share: float, days: int, deviations: float = 0.0) -> tuple[LegRecipe, ...]:
    """A straddle, or a strangle that far out."""
    return _put(symbol, share, days, -deviations), _call(symbol, share, days, deviations)


ARCHETYPES: tuple[BookRecipe, ...] = (
    BookRecipe("long perp BTC", (_perp("BTC", 1.0),)),
    BookRecipe("short perp BTC", (_perp("BTC", -1.0),)),
    BookRecipe("long future ETH", (_future("ETH", 1.0, 90),)),
    BookRecipe("short future ETH", (_future("ETH", -1.0, 90),)),
    BookRecipe("long perp SOL", (_perp("SOL", 1.0),)),
    BookRecipe("short perp SOL", (_perp("SOL", -1.0),)),
    BookRecipe("cash and carry BTC", (_future("BTC", -1.0, 90),), coins=(("BTC", 1.0),)),
    BookRecipe("futures calendar ETH", (_future("ETH", 1.0, 30), _future("ETH", -1.0, 180))),
    BookRecipe("relative value ETH/BTC", (_perp("ETH", 1.0), _perp("BTC", -1.0))),
    BookRecipe("short straddle BTC", _pair("BTC", -1.0, 30)),
    BookRecipe("short strangle ETH", _pair("ETH", -1.0, 30, 1.0)),
    BookRecipe("short strangle SOL", _pair("SOL", -1.0, 14, 1.0)),
    BookRecipe("long straddle BTC", _pair("BTC", 1.0, 30)),
    BookRecipe("naked short call BTC", (_call("BTC", -1.0, 30, 1.0),)),
    BookRecipe("naked short put ETH", (_put("ETH", -1.0, 30, -1.0),)),
    BookRecipe("covered call BTC", (_call("BTC", -1.0, 30, 0.75),), coins=(("BTC", 1.0),)),
    BookRecipe("cash-secured put ETH", (_put("ETH", -1.0, 30, -0.5),)),
    BookRecipe("protective put ETH", (_perp("ETH", 1.0), _put("ETH", 1.0, 60, -0.75))),
    BookRecipe("risk reversal BTC", (_call("BTC", 1.0, 60, 1.0), _put("BTC", -1.0, 60, -1.0))),
    BookRecipe("calendar BTC", (_call("BTC", -1.0, 14), _call("BTC", 1.0, 60))),
    BookRecipe("reverse calendar ETH", (_call("ETH", 1.0, 14), _call("ETH", -1.0, 90))),
    BookRecipe("diagonal ETH", (_call("ETH", -1.0, 14, 1.0), _call("ETH", 1.0, 90))),
    BookRecipe(
        "butterfly BTC", (_call("BTC", 1.0, 30, -0.75), _call("BTC", -2.0, 30), _call("BTC", 1.0, 30, 0.75))
    ),
    BookRecipe("iron condor BTC", (*_pair("BTC", -1.0, 14, 0.75), *_pair("BTC", 1.0, 14, 1.75))),
    BookRecipe(
        "box BTC",
        (
            _call("BTC", 1.0, 30, -1.0),
            _put("BTC", -1.0, 30, -1.0),
            _call("BTC", -1.0, 30, 1.0),
            _put("BTC", 1.0, 30, 1.0),
        ),
    ),
    BookRecipe("ratio spread ETH", (_call("ETH", 1.0, 30, 0.5), _call("ETH", -2.0, 30, 1.5))),
    BookRecipe("short gamma hedged BTC", _pair("BTC", -1.0, 7), is_hedged=True),
    BookRecipe("short vega hedged ETH", _pair("ETH", -1.0, 180), is_hedged=True),
    BookRecipe("wing seller BTC", _pair("BTC", -3.0, 30, 3.0)),
    BookRecipe("straddles ETH against BTC", (*_pair("ETH", 1.0, 30), *_pair("BTC", -1.0, 30))),
    BookRecipe("one-day strangle BTC", _pair("BTC", -1.0, 1, 1.0)),
    BookRecipe("two-day straddle ETH", _pair("ETH", -1.0, 2)),
    BookRecipe(
        "market maker",
        (
            *_pair("BTC", -0.3, 7, 1.0),
            *_pair("BTC", 0.3, 30, 1.5),
            _call("BTC", -0.3, 60, 0.5),
            _put("ETH", 0.3, 14, -1.0),
            *_pair("ETH", -0.3, 30, 0.5),
            _put("SOL", -0.1, 14, -1.0),
        ),
        is_hedged=True,
    ),
)
