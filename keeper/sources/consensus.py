"""Several sources into one observation: what each contributed, or why it did not.

A source may be asked for anything and know only part: a price feed gives spots, an option venue forwards and
surfaces too. Each quantity is decided by itself. Stale sources go first, then those too far from the median
(`outliers`), and what remains must reach a minimum. Spots and forwards are medians. A surface is one
source's, the one nearest to the median vols over all expiries: slices of different sources could cross in
time.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

from keeper.sources.outliers import Bound, is_outlier
from keeper.sources.smile_distance import STANDARD_MONEYNESS, standard_vols
from keeper.sources.source import PAR, PPM, ExpiryQuote, Listed, Observation, Source
from keeper.sources.verdicts import Report, Verdict
from keeper.units.constants import BASIS_POINTS, SECONDS_PER_YEAR


@dataclass(frozen=True)
class Rules:
    """What a source must satisfy.

    Attributes:
        minimum: sources of every spot that must remain.
        minimum_surfaces: the same of every surface and forward.
        wanted: sources of a spot from which on none is missed; confidence falls below. At least `minimum`.
        max_age_seconds: of an observation; `max_ages` by source where another holds.
        spot: distance from the median, in basis points of it.
        forward: the same of forwards at the common spot.
        vol: of the vols at standard moneyness, as fractions.
    """

    minimum: int = 1
    minimum_surfaces: int = 1
    wanted: int = 1
    max_age_seconds: int = 3_600
    max_ages: Mapping[str, int] = field(default_factory=dict)
    spot: Bound = Bound(hard=200.0, calm=10.0)
    forward: Bound = Bound(hard=300.0, calm=25.0)
    vol: Bound = Bound(hard=0.15, calm=0.02)


def gather(sources: Sequence[Source], now: int, listed: Listed) -> tuple[list[Observation], dict[str, str]]:
    """All sources asked at once: observations in order, and why the others gave none."""

    def ask(source: Source) -> Observation | LookupError:
        try:
            return source.observe(now, listed)
        except LookupError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(len(sources), 1)) as pool:
        answers = list(pool.map(ask, sources))
    observations = [a for a in answers if isinstance(a, Observation)]
    failures = {
        s.venue: str(a.args[0] if a.args else a)
        for s, a in zip(sources, answers, strict=True)
        if not isinstance(a, Observation)
    }
    return observations, failures


def combine(
    observations: Sequence[Observation],
    listed: Listed,
    rules: Rules,
    failures: Mapping[str, str] | None = None,
) -> tuple[Observation, Report]:
    """One observation of everything listed, named "median", and what became of every source.

    Its age is the median of the ages used. Its confidence of an underlying falls when fewer sources than
    wanted remain, and with the distance between them; see `_confidence`.

    Raises:
        LookupError: fewer than the minimum remain of a quantity; names each source and why.
    """
    work = _Work(rules, failures or {})
    fresh = work.fresh(observations)
    spots, confidences, scales = {}, {}, {}
    ages: dict[str, int] = {}
    expiries: dict[tuple[int, int], ExpiryQuote] = {}
    for underlying in sorted(listed):
        spot, used = work.spot(underlying, fresh)
        spots[underlying] = spot
        confidences[underlying] = _confidence(underlying, spot, used, rules)
        ages |= {o.venue: o.age for o in used}
        known = [o.volatility_scales_ppm[underlying] for o in fresh if underlying in o.volatility_scales_ppm]
        if known:
            scales[underlying] = int(median(known))
        if listed[underlying]:
            expiries |= work.surface(underlying, sorted(listed[underlying]), spot, fresh)
    if not ages:
        raise LookupError("sources: nothing is listed to be observed")
    coin = [o.settlement_price for o in fresh if o.settlement_price != PAR]
    combined = Observation(
        venue="median",
        timestamp=max(o.timestamp for o in fresh),
        age=int(median(ages.values())),
        spots=spots,
        expiries=expiries,
        volatility_scales_ppm=scales,
        confidences_ppm=confidences,
        settlement_price=int(median(coin)) if coin else PAR,
    )
    return combined, work.report


def _confidence(underlying: int, spot: int, used: Sequence[Observation], rules: Rules) -> int:
    """Parts per million: (sources used / sources wanted, at most 1) * (1 - half of the way that the farthest
    used one has gone from calm to the hard bound) * the median of the sources' own confidence.
    """
    distance = max(abs(o.spots[underlying] - spot) for o in used) * BASIS_POINTS / spot
    way = (distance - rules.spot.calm) / (rules.spot.hard - rules.spot.calm)
    own = median(o.confidences_ppm.get(underlying, PPM) for o in used)
    share = min(len(used) / rules.wanted, 1.0)
    return int(own * share * (1.0 - min(max(way, 0.0), 1.0) / 2.0))


class _Work:
    """Decides quantity by quantity, and reports."""

    def __init__(self, rules: Rules, failures: Mapping[str, str]) -> None:
        self._rules = rules
        self.report = Report()
        for source, why in sorted(failures.items()):
            self.report.add([source], "all", Verdict.FAILED, why)

    def fresh(self, observations: Sequence[Observation]) -> list[Observation]:
        """Observations young enough, by name of source."""
        found = []
        for o in sorted(observations, key=lambda o: o.venue):
            limit = self._rules.max_ages.get(o.venue, self._rules.max_age_seconds)
            if o.age > limit:
                self.report.add([o.venue], "all", Verdict.STALE, f"{o.age} seconds old, at most {limit}")
            else:
                found.append(o)
        return found

    def spot(self, underlying: int, fresh: Sequence[Observation]) -> tuple[int, list[Observation]]:
        """Median spot, and who is behind it."""
        name = f"spot {underlying}"
        known = self._split(name, fresh, lambda o: underlying in o.spots)
        used = self._near(name, known, [o.spots[underlying] for o in known], self._rules.spot)
        self.report.require(_names(used), name, self._rules.minimum)
        return int(median(o.spots[underlying] for o in used)), used

    def surface(
        self, underlying: int, expiries: Sequence[int], spot: int, fresh: Sequence[Observation]
    ) -> dict[tuple[int, int], ExpiryQuote]:
        """Median forwards at the common spot, and the surface nearest to the median vols."""
        name = f"surface {underlying}"

        def knows(o: Observation) -> bool:
            return underlying in o.spots and all((underlying, e) in o.expiries for e in expiries)

        def forward(o: Observation, expiry: int) -> int:
            return o.expiries[(underlying, expiry)].forward * spot // o.spots[underlying]

        used = self._split(name, fresh, knows)
        for expiry in expiries:
            used = self._near(name, used, [forward(o, expiry) for o in used], self._rules.forward)
        gaps = dict.fromkeys(_names(used), 0.0)
        for expiry in expiries:
            used = self._near_vols(name, underlying, expiry, used, gaps)
        self.report.require(_names(used), name, self._rules.minimum_surfaces)
        chosen = min(used, key=lambda o: (gaps[o.venue], o.venue)).expiries
        return {
            (underlying, e): ExpiryQuote(
                int(median(forward(o, e) for o in used)), chosen[(underlying, e)].svi
            )
            for e in expiries
        }

    def _near_vols(
        self, name: str, underlying: int, expiry: int, used: list[Observation], gaps: dict[str, float]
    ) -> list[Observation]:
        """Sources near the median vols of one expiry; `gaps` keeps each one's widest distance so far."""
        for point in range(len(STANDARD_MONEYNESS)):
            vols = [_vol(o, underlying, expiry, point) for o in used]
            for o, vol in zip(used, vols, strict=True):
                gaps[o.venue] = max(gaps[o.venue], abs(vol - median(vols)))
            used = self._near(name, used, vols, self._rules.vol, is_relative=False)
        return used

    def _split(
        self, name: str, fresh: Sequence[Observation], knows: Callable[[Observation], bool]
    ) -> list[Observation]:
        """Those that know a quantity; the others are noted."""
        self.report.add([o.venue for o in fresh if not knows(o)], name, Verdict.MISSING)
        return [o for o in fresh if knows(o)]

    def _near(
        self,
        name: str,
        known: list[Observation],
        values: Sequence[float],
        bound: Bound,
        is_relative: bool = True,
    ) -> list[Observation]:
        """Those whose values lie near the median; relative ones in basis points of it."""
        if not known:
            return known
        centre = median(values)
        scaled = [v * BASIS_POINTS / centre for v in values] if is_relative else list(values)
        used = []
        for o, value, scale, far in zip(known, values, scaled, is_outlier(scaled, bound), strict=True):
            if far:
                away = scale - median(scaled)
                text = (
                    f"{away:+.0f} bps from the median" if is_relative else f"vol {value:.3f}, {away:+.3f} off"
                )
                self.report.add([o.venue], name, Verdict.OUTLIER, text)
            else:
                used.append(o)
        return used


def _names(observations: Sequence[Observation]) -> list[str]:
    return [o.venue for o in observations]


def _vol(o: Observation, underlying: int, expiry: int, point: int) -> float:
    years = (expiry - o.timestamp) / SECONDS_PER_YEAR
    return float(standard_vols(o.expiries[(underlying, expiry)].svi, years)[point])
