"""The [source] section: which sources of market data a keeper has, and how many of them must agree."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from keeper.app.section import Section

_Name = Annotated[str, Field(min_length=1, max_length=40)]
_Age = Annotated[int | None, Field(gt=0)]
_Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]


class RecordedFeed(Section):
    """One venue of the recorded market of April 2025."""

    kind: Literal["recorded"]
    venue: _Name
    max_age_seconds: _Age = None

    @property
    def name(self) -> str:
        return self.venue


class DeribitFeed(Section):
    """Deribit's public API. `stream`: follow its websocket instead of asking each time."""

    kind: Literal["deribit"]
    name: _Name = "deribit"
    url: str = "https://www.deribit.com/api/v2"
    stream: bool = False
    stream_url: str = "wss://www.deribit.com/ws/api/v2"
    coins: list[str] | None = None  # all listed underlyings
    timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    max_basis_bps: int = Field(default=500, gt=0)
    max_option_age_seconds: int = Field(default=900, gt=0)
    max_age_seconds: _Age = None


class ChainlinkFeed(Section):
    """A price feed on a chain: the protocol's own, or that of another node."""

    kind: Literal["chainlink"]
    symbol: _Name
    address: _Address
    rpc: str | None = None
    sequencer: _Address | None = None
    grace_seconds: int = Field(default=3_600, ge=0)
    max_age_seconds: _Age = None

    @property
    def name(self) -> str:
        return f"chainlink {self.symbol}"


class CcxtFeed(Section):
    """A venue by ccxt; `symbols` maps ours to the venue's, as {ETH = "ETH/USD"}."""

    kind: Literal["ccxt"]
    exchange: _Name
    symbols: Annotated[dict[str, str], Field(min_length=1)]
    max_age_seconds: _Age = None

    @property
    def name(self) -> str:
        return self.exchange


class HistoryFeed(Section):
    """Daily closes of a coin, CSV: no prices of now, but the volatility regime they make."""

    kind: Literal["history"]
    symbol: _Name
    path: Path

    @property
    def name(self) -> str:
        return f"history {self.symbol}"

    @property
    def max_age_seconds(self) -> None:
        """It is never stale by the clock: what is missing at its end is looked at by days."""
        return


AnyFeed = Annotated[
    RecordedFeed | DeribitFeed | ChainlinkFeed | CcxtFeed | HistoryFeed, Field(discriminator="kind")
]


class SourceSection(Section):
    """Its own market data: `venues` of the recorded market, and any `feeds`.

    A spot needs `minimum` sources, a surface `minimum_surfaces`; with fewer than `wanted` confidence falls.
    `outlier_bps` and `outlier_vol` bound how far a source may lie from the median of all; the others bound
    how far a proposal may lie from what an attester's own sources say together.
    """

    kind: Literal["recorded"] = "recorded"  # of `venues`
    venues: Annotated[list[str], Field(min_length=1)] | None = None
    feeds: list[AnyFeed] = Field(default_factory=list)
    minimum: int = Field(default=1, gt=0)
    minimum_surfaces: int = Field(default=1, gt=0)
    wanted: int = Field(default=1, gt=0)
    outlier_bps: int = Field(default=200, gt=10)
    outlier_vol: float = Field(default=0.15, gt=0.02)
    spot_bps: int = Field(default=50, gt=0)
    forward_bps: int = Field(default=75, gt=0)
    vol: float = Field(default=0.05, gt=0)
    max_age_seconds: int = Field(default=3_600, gt=0)

    @property
    def all_feeds(self) -> list[AnyFeed]:
        """`venues` and `feeds` together."""
        return [*(RecordedFeed(kind="recorded", venue=v) for v in self.venues or ()), *self.feeds]

    def anchored(self, folder: Path) -> "SourceSection":
        """With paths relative to `folder`."""
        feeds = [
            f.model_copy(update={"path": folder / f.path}) if isinstance(f, HistoryFeed) else f
            for f in self.feeds
        ]
        return self.model_copy(update={"feeds": feeds})

    def problems(self) -> list[str]:
        """What is wrong across its fields."""
        feeds = self.all_feeds
        names = [feed.name for feed in feeds]
        found = [] if feeds else ["source.venues: name at least one, or a source under source.feeds"]
        found += [
            f"source.feeds: {n} is named twice" for n in sorted({n for n in names if names.count(n) > 1})
        ]
        spots = [feed for feed in feeds if not isinstance(feed, HistoryFeed)]
        if feeds and self.minimum > len(spots):
            found.append(f"source.minimum: {self.minimum} of {len(spots)} sources can never be reached")
        surfaces = [feed for feed in feeds if isinstance(feed, RecordedFeed | DeribitFeed)]
        if feeds and self.minimum_surfaces > len(surfaces):
            found.append(f"source.minimum_surfaces: only {len(surfaces)} sources know surfaces")
        return found
