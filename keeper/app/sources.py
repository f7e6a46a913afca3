"""The sources of market data that a configuration names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from keeper.app.source_config import (
    CcxtFeed,
    ChainlinkFeed,
    DeribitFeed,
    HistoryFeed,
    RecordedFeed,
    SourceSection,
)
from keeper.chain.node import Node, Rpc
from keeper.chain.price_feed import Feed, PriceFeedSource
from keeper.risk.methodology import Methodology
from keeper.sources.ccxt_source import CcxtSource
from keeper.sources.consensus import Rules
from keeper.sources.deribit import DeribitSource
from keeper.sources.deribit_feeds import RestFeed, StreamFeed
from keeper.sources.deribit_rest import DeribitRest, Patience
from keeper.sources.deribit_stream import DeribitStream
from keeper.sources.history_source import HistorySource
from keeper.sources.outliers import Bound
from keeper.sources.recorded import RecordedSource
from keeper.sources.source import Source


@dataclass(frozen=True)
class Sources:
    """A keeper's sources, and what to call when it stops."""

    all: tuple[Source, ...]
    closers: tuple[Callable[[], None], ...] = ()

    def close(self) -> None:
        """Give connections and threads back."""
        for closer in self.closers:
            closer()


def rules_of(section: SourceSection) -> Rules:
    """What the sources must satisfy together."""
    calm = Rules()
    return Rules(
        minimum=section.minimum,
        minimum_surfaces=section.minimum_surfaces,
        wanted=section.wanted,
        max_age_seconds=section.max_age_seconds,
        max_ages={f.name: f.max_age_seconds for f in section.all_feeds if f.max_age_seconds is not None},
        spot=Bound(float(section.outlier_bps), calm.spot.calm),
        forward=Bound(float(section.outlier_bps) + calm.forward.calm, calm.forward.calm),
        vol=Bound(section.outlier_vol, calm.vol.calm),
    )


def open_sources(
    section: SourceSection, node: Rpc, symbols: Mapping[int, str], methodology: Methodology
) -> Sources:
    """Every source of the section, connected where it connects.

    Args:
        node: of the protocol's chain, for feeds that are on it.
        symbols: coin of each listed underlying.
        methodology: what a volatility is compared with.

    Raises:
        LookupError: a symbol is not listed, a venue not known, or ccxt not installed.
    """
    made: list[Source] = []
    closers: list[Callable[[], None]] = []
    for feed in section.all_feeds:
        if isinstance(feed, HistoryFeed):
            underlying = _underlying(feed.symbol, symbols)
            made.append(HistorySource(feed.name, underlying, feed.symbol, feed.path, methodology))
        else:
            made.append(_open(feed, node, symbols, closers))
    return Sources(tuple(made), tuple(closers))


def _open(
    feed: RecordedFeed | DeribitFeed | ChainlinkFeed | CcxtFeed,
    node: Rpc,
    symbols: Mapping[int, str],
    closers: list[Callable[[], None]],
) -> Source:
    match feed:
        case RecordedFeed():
            return RecordedSource(feed.venue, symbols)
        case DeribitFeed():
            return _deribit(feed, symbols, closers)
        case ChainlinkFeed():
            other: Rpc = Node(feed.rpc) if feed.rpc else node
            underlying = _underlying(feed.symbol, symbols)
            described = Feed(feed.name, underlying, feed.address, feed.sequencer, feed.grace_seconds)
            return PriceFeedSource(other, described)
        case CcxtFeed():
            theirs = {_underlying(ours, symbols): symbol for ours, symbol in feed.symbols.items()}
            return CcxtSource(feed.exchange, theirs)
        case _:
            assert_never(feed)


def _deribit(
    feed: DeribitFeed, symbols: Mapping[int, str], closers: list[Callable[[], None]]
) -> DeribitSource:
    coins = symbols if feed.coins is None else {_underlying(c, symbols): c for c in feed.coins}
    client = DeribitRest(feed.url, Patience(timeout=feed.timeout_seconds))
    closers.append(client.close)
    if feed.stream:
        stream = DeribitStream(feed.stream_url)
        state: RestFeed | StreamFeed = StreamFeed(stream, client, tuple(coins.values()))
        stream.start()
        closers.append(stream.close)
    else:
        state = RestFeed(client)
    return DeribitSource(state, coins, feed.name, feed.max_basis_bps, feed.max_option_age_seconds)


def _underlying(symbol: str, symbols: Mapping[int, str]) -> int:
    for underlying, listed in symbols.items():
        if listed == symbol:
            return underlying
    raise LookupError(f"source: {symbol} is not listed, only {', '.join(symbols.values())}")
