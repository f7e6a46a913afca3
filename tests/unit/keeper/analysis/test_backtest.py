"""A backtest of ten days, end to end, and the adversary on a crash."""

from datetime import date

import numpy as np
import pytest

from keeper.analysis.adversary import Effort, attack, crash_days, scenes
from keeper.analysis.backtest import Plan, least_start, run
from keeper.analysis.books import BookRecipe, LegRecipe, build
from keeper.analysis.history import recorded
from keeper.analysis.history_market import MarketHistory
from keeper.analysis.models import choices, model_of
from keeper.analysis.regime import Regimes, extended
from keeper.analysis.requirement_buffer import buffer_of
from keeper.markets.instrument import Kind
from keeper.presets.requirement import Requirement
from keeper.risk.methodology import Methodology

HISTORY = recorded()
FTX = HISTORY.index_of(date(2022, 11, 8))
RECIPES = (
    BookRecipe("long", (LegRecipe("SOL", Kind.PERP, 1.0),)),
    BookRecipe("short", (LegRecipe("SOL", Kind.PERP, -1.0),)),
    BookRecipe("future", (LegRecipe("BTC", Kind.FUTURE, 1.0, 90),)),
    BookRecipe("put", (LegRecipe("SOL", Kind.PUT, -1.0, 30, -1.0),)),
)
CHOICES = choices(["plimsoll", "derive-pm2"], {})
PLAN = Plan(HISTORY, RECIPES, CHOICES)
RESULT = run(PLAN, list(range(FTX - 5, FTX + 5)))


def test_run__ten_days_of_ftx__losses_are_those_of_the_closes() -> None:
    sol = HISTORY.closes[FTX - 5 : FTX + 6, HISTORY.symbols.index("SOL")]
    assert RESULT.profit[:, 0] == pytest.approx(100_000 * (sol[1:] / sol[:-1] - 1), abs=0.01)
    assert RESULT.profit[:, 1] == pytest.approx(-RESULT.profit[:, 0])
    # Binance: SOL fell by 42 % on 9 November 2022, twice what any margin of a day holds
    assert RESULT.days[5] == date(2022, 11, 8)
    assert RESULT.profit[5, 0] == pytest.approx(-42_200, abs=300)
    assert (RESULT.maintenance[:, 5, 0] < 42_000).all()


def test_run__derive_pm2_on_a_perp__its_published_arithmetic() -> None:
    # -18 % in the worst scenario times .8, and 3 % of the perp contingency
    assert RESULT.maintenance[1, :, 0] == pytest.approx(100_000 * (0.8 * 0.18 + 0.03), rel=1e-6)


def test_run__venue_without_futures__no_margin() -> None:
    assert np.isnan(RESULT.maintenance[1, :, 2]).all()
    assert np.isfinite(RESULT.maintenance[0]).all()


def test_run__every_book__maintenance_below_initial() -> None:
    assert (RESULT.maintenance[0] <= RESULT.initial[0]).all()


def test_run__two_processes__same_figures() -> None:
    again = run(PLAN, list(range(FTX - 5, FTX - 3)), processes=2)
    assert np.array_equal(again.maintenance, RESULT.maintenance[:, :2], equal_nan=True)
    assert np.array_equal(again.profit, RESULT.profit[:2])


def test_methodology_on__any_day__scenarios_end_before_it() -> None:
    regimes = Regimes(HISTORY, Methodology.default())
    for day in (date(2020, 9, 1), date(2022, 11, 8), date(2025, 4, 1)):
        scenarios = regimes.methodology_on(day).scenarios
        assert max(scenarios.labels) < day.isoformat()
        assert (scenarios.filtered, scenarios.stressed >= 250) == (500, True)


def test_scales_on__after_a_crash__higher() -> None:
    regimes = Regimes(HISTORY, Methodology.default())
    before, after = regimes.scales_on(date(2022, 11, 7)), regimes.scales_on(date(2022, 11, 10))
    assert all(after[symbol] > before[symbol] for symbol in HISTORY.symbols)


def test_extended__before_the_listing__leader_magnified() -> None:
    days = [date(2024, 1, n) for n in (1, 2, 3)]
    found = extended("SOL", {"SOL": {days[2]: 10.0}, "ETH": dict(zip(days, (1.0, 2.0, 4.0), strict=True))})
    assert found[days[1]] == pytest.approx(10.0 * 0.5**1.3)
    assert found[days[0]] == pytest.approx(10.0 * 0.25**1.3)


def test_buffer_of__model_without_value_of_long_options__buffer_is_larger() -> None:
    portfolio = build(RECIPES[3], MarketHistory(HISTORY).market(FTX, [HISTORY.close_time(FTX) + 30 * 86_400]))
    # a mark of -500 that equity leaves out, and 800 required: gone after a loss of 300
    requirement = Requirement("x", mark=-500.0, equity=0.0, initial=1_000.0, maintenance=800.0)
    market = MarketHistory(HISTORY).market(FTX, [])
    assert buffer_of(portfolio, requirement, market).maintenance == 300.0


def test_least_start__shipped_history__a_month_after_the_last_listing() -> None:
    assert HISTORY.days[least_start(HISTORY)] == date(2020, 9, 10)
    assert least_start(HISTORY, joint=False) == 700


def test_crash_days__one_each__largest_moves() -> None:
    rows = list(range(HISTORY.index_of(date(2022, 1, 1)), len(HISTORY) - 1))
    found = {HISTORY.days[i + 1] for i in crash_days(HISTORY, rows, 6)}
    # bitcoin's and ether's worst, SOL's worst and its rebound
    assert {date(2022, 6, 13), date(2022, 11, 9)} <= found


def test_attack__derive_on_the_ftx_day__leak_beyond_its_margin() -> None:
    regimes = Regimes(HISTORY, Methodology.default())
    stage = scenes(HISTORY, MarketHistory(HISTORY), regimes, [FTX])
    found = attack(model_of(CHOICES[1], HISTORY), stage, Effort(starts=1, generations=2, population=12))
    # a long SOL perp alone loses 42.2 of a margin of 17.4
    assert found.leak >= 1.0
    assert found.loss > found.margin
    assert found.tried == 24


def test_attack__same_seed__same_book() -> None:
    regimes = Regimes(HISTORY, Methodology.default())
    stage = scenes(HISTORY, MarketHistory(HISTORY), regimes, [FTX])
    effort = Effort(starts=1, generations=1, population=6)
    model = model_of(CHOICES[1], HISTORY)
    assert attack(model, stage, effort) == attack(model, stage, effort)
