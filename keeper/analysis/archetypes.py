"""What people trade: the named books of a backtest. Fixed, like the random ones beside them."""

from keeper.analysis.books import BookRecipe, call, future, pair, perp, put

ARCHETYPES: tuple[BookRecipe, ...] = (
    BookRecipe("long perp BTC", (perp("BTC", 1.0),)),
    BookRecipe("short perp BTC", (perp("BTC", -1.0),)),
    BookRecipe("long future ETH", (future("ETH", 1.0, 90),)),
    BookRecipe("short future ETH", (future("ETH", -1.0, 90),)),
    BookRecipe("long perp SOL", (perp("SOL", 1.0),)),
    BookRecipe("short perp SOL", (perp("SOL", -1.0),)),
    BookRecipe("cash and carry BTC", (future("BTC", -1.0, 90),), coins=(("BTC", 1.0),)),
    BookRecipe("futures calendar ETH", (future("ETH", 1.0, 30), future("ETH", -1.0, 180))),
    BookRecipe("relative value ETH/BTC", (perp("ETH", 1.0), perp("BTC", -1.0))),
    BookRecipe("short straddle BTC", pair("BTC", -1.0, 30)),
    BookRecipe("short strangle ETH", pair("ETH", -1.0, 30, 1.0)),
    BookRecipe("short strangle SOL", pair("SOL", -1.0, 14, 1.0)),
    BookRecipe("long straddle BTC", pair("BTC", 1.0, 30)),
    BookRecipe("naked short call BTC", (call("BTC", -1.0, 30, 1.0),)),
    BookRecipe("naked short put ETH", (put("ETH", -1.0, 30, -1.0),)),
    BookRecipe("covered call BTC", (call("BTC", -1.0, 30, 0.75),), coins=(("BTC", 1.0),)),
    BookRecipe("cash-secured put ETH", (put("ETH", -1.0, 30, -0.5),)),
    BookRecipe("protective put ETH", (perp("ETH", 1.0), put("ETH", 1.0, 60, -0.75))),
    BookRecipe("risk reversal BTC", (call("BTC", 1.0, 60, 1.0), put("BTC", -1.0, 60, -1.0))),
    BookRecipe("calendar BTC", (call("BTC", -1.0, 14), call("BTC", 1.0, 60))),
    BookRecipe("reverse calendar ETH", (call("ETH", 1.0, 14), call("ETH", -1.0, 90))),
    BookRecipe("diagonal ETH", (call("ETH", -1.0, 14, 1.0), call("ETH", 1.0, 90))),
    BookRecipe(
        "butterfly BTC", (call("BTC", 1.0, 30, -0.75), call("BTC", -2.0, 30), call("BTC", 1.0, 30, 0.75))
    ),
    BookRecipe("iron condor BTC", (*pair("BTC", -1.0, 14, 0.75), *pair("BTC", 1.0, 14, 1.75))),
    BookRecipe(
        "box BTC",
        (
            call("BTC", 1.0, 30, -1.0),
            put("BTC", -1.0, 30, -1.0),
            call("BTC", -1.0, 30, 1.0),
            put("BTC", 1.0, 30, 1.0),
        ),
    ),
    BookRecipe("ratio spread ETH", (call("ETH", 1.0, 30, 0.5), call("ETH", -2.0, 30, 1.5))),
    BookRecipe("short gamma hedged BTC", pair("BTC", -1.0, 7), is_hedged=True),
    BookRecipe("short vega hedged ETH", pair("ETH", -1.0, 180), is_hedged=True),
    BookRecipe("wing seller BTC", pair("BTC", -3.0, 30, 3.0)),
    BookRecipe("straddles ETH against BTC", (*pair("ETH", 1.0, 30), *pair("BTC", -1.0, 30))),
    BookRecipe("one-day strangle BTC", pair("BTC", -1.0, 1, 1.0)),
    BookRecipe("two-day straddle ETH", pair("ETH", -1.0, 2)),
    BookRecipe(
        "market maker",
        (
            *pair("BTC", -0.3, 7, 1.0),
            *pair("BTC", 0.3, 30, 1.5),
            call("BTC", -0.3, 60, 0.5),
            put("ETH", 0.3, 14, -1.0),
            *pair("ETH", -0.3, 30, 0.5),
            put("SOL", -0.1, 14, -1.0),
        ),
        is_hedged=True,
    ),
)
