"""Several sources into one observation, quantity by quantity."""

from collections.abc import Mapping

import pytest

from keeper.sources.consensus import Rules, combine, gather
from keeper.sources.source import ExpiryQuote, Listed, Observation
from keeper.sources.verdicts import Verdict
from tests.support.flat_market import DAY, NOW

PRICE = 10**8
SOON, LATER = NOW + 30 * DAY, NOW + 90 * DAY
LISTED: Listed = {1: [], 2: [SOON, LATER]}
EXPIRIES = {SOON: 30 / 365, LATER: 90 / 365}


def quote(forward: float, vol: float, years: float) -> ExpiryQuote:
    """A flat smile."""
    return ExpiryQuote(int(forward * PRICE), (round(vol**2 * years * 10**12), 0, 0, 0, 10**11))


def observed(
    venue: str,
    btc: float = 80_000,
    eth: float = 2_000,
    basis: float = 1.01,
    vols: Mapping[int, float] | None = None,
    age: int = 10,
) -> Observation:
    """A venue that knows everything."""
    flat = vols or dict.fromkeys(EXPIRIES, 0.6)
    expiries = {(2, e): quote(eth * basis, flat[e], EXPIRIES[e]) for e in EXPIRIES}
    return Observation(venue, NOW, age, {1: int(btc * PRICE), 2: int(eth * PRICE)}, expiries)


def spots_only(venue: str, btc: float, age: int = 10) -> Observation:
    """A price feed of BTC."""
    return Observation(venue, NOW, age, {1: int(btc * PRICE)}, {})


def verdicts(observations: list[Observation], rules: Rules, quantity: str) -> dict[str, str]:
    _, report = combine(observations, LISTED, rules)
    return {e.source: e.verdict for e in report.entries if e.quantity in (quantity, "all")}


def test_combine__three_venues__median_spot_and_forward_at_it() -> None:
    found, report = combine(
        [
            observed("a", eth=1_990, basis=1.01),
            observed("b", basis=1.02),
            observed("c", eth=2_004, basis=1.03),
        ],
        LISTED,
        Rules(),
    )
    assert found.spots[2] == 2_000 * PRICE
    assert found.expiries[(2, SOON)].forward == pytest.approx(2_040 * PRICE, abs=2)
    assert report.rejected == []


def test_combine__surface__whole_one_nearest_to_the_median() -> None:
    vols = [{SOON: 0.60, LATER: 0.50}, {SOON: 0.61, LATER: 0.53}, {SOON: 0.62, LATER: 0.60}]
    found, _ = combine([observed(v, vols=x) for v, x in zip("abc", vols, strict=True)], LISTED, Rules())
    assert [found.expiries[(2, e)].svi[0] for e in EXPIRIES] == [
        quote(0, 0.61, EXPIRIES[SOON]).svi[0],
        quote(0, 0.53, EXPIRIES[LATER]).svi[0],
    ]


def test_combine__one_spot_far_off__rejected_with_its_distance() -> None:
    found, report = combine(
        [observed("a"), observed("b", btc=80_010), observed("c", btc=84_000)], LISTED, Rules()
    )
    assert found.spots[1] == 80_005 * PRICE
    assert [(e.source, e.quantity, e.verdict) for e in report.rejected] == [("c", "spot 1", Verdict.OUTLIER)]
    assert "+499 bps" in report.rejected[0].reason


def test_combine__one_surface_far_off__others_used_and_its_spot_too() -> None:
    wild = observed("c", vols={SOON: 0.9, LATER: 0.6})
    found, report = combine(
        [observed("a"), observed("b"), wild], LISTED, Rules(minimum=3, minimum_surfaces=2)
    )
    assert [(e.source, e.quantity) for e in report.rejected] == [("c", "surface 2")]
    assert found.confidences_ppm == {1: 10**6, 2: 10**6}


def test_combine__forward_far_off__surface_rejected() -> None:
    sources = [observed("a"), observed("b"), observed("c", basis=1.1)]
    assert verdicts(sources, Rules(), "surface 2") == {"a": "used", "b": "used", "c": "outlier"}


def test_combine__price_feed_beside_a_venue__counts_for_what_it_knows() -> None:
    found, report = combine([observed("a"), spots_only("feed", 80_020)], LISTED, Rules())
    assert found.spots == {1: 80_010 * PRICE, 2: 2_000 * PRICE}
    assert {e.quantity for e in report.entries if e.verdict == Verdict.MISSING} == {"spot 2", "surface 2"}
    assert report.rejected == []


def test_combine__age_limit_of_one_source__only_its_own() -> None:
    rules = Rules(max_age_seconds=60, max_ages={"feed": 4_000})
    sources = [observed("a"), observed("b", age=61), spots_only("feed", 80_000, age=3_600)]
    assert verdicts(sources, rules, "spot 1") == {"a": "used", "b": "stale", "feed": "used"}


def test_combine__too_few__every_source_and_why() -> None:
    sources = [observed("a"), observed("b", age=9_999), spots_only("feed", 80_000)]
    with pytest.raises(LookupError) as caught:
        combine(sources, LISTED, Rules(minimum=2), {"dead": "dead: no answer"})
    told = str(caught.value)
    assert told.startswith("sources: spot 2: 1 of at least 2 sources: a used; dead failed (dead: no answer)")
    assert "b stale (9999 seconds old, at most 3600)" in told and "feed missing" in told


def test_combine__two_that_disagree__neither_is_believed() -> None:
    with pytest.raises(
        LookupError, match=r"0 of at least 1 sources: a outlier \(-244 bps .*; b outlier \(\+244"
    ):
        combine([observed("a"), observed("b", btc=84_000)], LISTED, Rules())


def test_combine__no_surface_anywhere__says_which() -> None:
    with pytest.raises(LookupError, match="surface 2: 0 of at least 1 sources: a missing"):
        combine([Observation("a", NOW, 0, {1: PRICE, 2: PRICE}, {})], LISTED, Rules())
    with pytest.raises(LookupError, match="no source is configured"):
        combine([], LISTED, Rules())


def test_combine__expiry_that_one_does_not_know__surface_from_the_other() -> None:
    partial = observed("b")
    partial = Observation("b", NOW, 1, partial.spots, {(2, SOON): partial.expiries[(2, SOON)]})
    assert verdicts([observed("a"), partial], Rules(), "surface 2") == {"a": "used", "b": "missing"}


@pytest.mark.parametrize(
    ("others", "failures", "expected"),
    [
        ([80_000, 80_000], {}, 10**6),
        ([80_000], {"dead": "x"}, 666_666),  # two of three
        ([80_000, 80_080], {}, 10**6),  # ten basis points apart: calm
        ([79_160, 80_840], {}, 750_000),  # 105 of 200: half of the way from calm to the bound
    ],
)
def test_combine__confidence__share_of_sources_and_distance(
    others: list[float], failures: dict[str, str], expected: int
) -> None:
    sources = [observed("a"), *(observed(f"b{i}", btc=price) for i, price in enumerate(others))]
    found, _ = combine(sources, LISTED, Rules(wanted=3), failures)
    assert found.confidences_ppm[1] == pytest.approx(expected, abs=1)


class Known:
    """A source that gives what it is told to."""

    def __init__(self, answer: Observation | Exception, venue: str) -> None:
        self.venue = venue
        self._answer = answer

    def observe(self, now: int, listed: Listed) -> Observation:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_gather__one_without_data__the_others_and_why() -> None:
    observations, failures = gather(
        [Known(observed("a"), "a"), Known(LookupError("b: closed"), "b")], NOW, LISTED
    )
    assert [o.venue for o in observations] == ["a"] and failures == {"b": "b: closed"}


def test_gather__fault_of_the_program__not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        gather([Known(ZeroDivisionError(), "a")], NOW, LISTED)
