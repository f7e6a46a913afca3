"""Pages of backtests and stress runs: self-contained, complete, safe."""

import json
import re
from datetime import date

import numpy as np

from keeper.analysis import backtest_page, stress_page
from keeper.analysis.backtest import BacktestResult
from keeper.analysis.backtest_study import study
from keeper.analysis.cascade import Setting, compare
from keeper.analysis.insurance import adequacy
from keeper.analysis.risk_page import Block, Cell, Page, Section, render
from keeper.analysis.stress import StressResult

RESULT = BacktestResult(
    days=tuple(date(2024, 1, n) for n in (1, 2, 3)),
    books=("long perp BTC", "<b>odd</b>"),
    models=("plimsoll", "other"),
    profit=np.array([[-5.0, 1.0], [-12.0, 0.0], [3.0, -2.0]]),
    maintenance=np.array([[[20.0, 2.0]] * 3, [[10.0, np.nan]] * 3]),
    initial=np.array([[[25.0, 3.0]] * 3, [[12.5, np.nan]] * 3]),
)


def figures_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.S)
    assert found is not None
    return dict(json.loads(found.group(1)))


def test_render__markup_and_scripts_in_texts__escaped() -> None:
    block = Block(
        "t", figure={"data": [], "layout": {"title": "</script>"}}, head=["<i>"], rows=[[Cell("<u>")]]
    )
    page = render(Page("a<b>", "s", [], [Section("k", "K", "c", [block])]), "plotly</script>")
    assert "<i>" not in page and "<u>" not in page and "a<b>" not in page
    assert page.count("</script>") == 3


def test_render__policy__no_network() -> None:
    page = render(Page("t", "s", [], []), "")
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_backtest_page__small_run__every_figure_has_its_place() -> None:
    page = render(backtest_page.page_of(study(RESULT, [], 1), "from somewhere"), "")
    places = set(re.findall(r'data-figure="([^"]+)"', page))
    assert places == set(figures_of(page))
    assert {"capital: Frontier", "coverage: Exceedance rates", "cascade: Price under plimsoll"} <= places
    assert "from somewhere" in page and "<b>odd</b>" not in page


def test_backtest_page__leaking_book__in_the_table_of_the_worst() -> None:
    page = render(backtest_page.page_of(study(RESULT, [], 1), ""), "")
    assert "33.33%" in page
    assert "plimsoll: 0, other: 1" in page


def test_stress_page__two_models__scenarios_covers_and_cascade() -> None:
    results = [
        StressResult(model, "fall", (-50.0,), 1, 1, 30.0, adequacy([], 10.0))
        for model in ("plimsoll", "other")
    ]
    cascades = {"plimsoll": compare(Setting(accounts=50, steps=5))}
    page = render(stress_page.page_of(results, cascades, "2024-01-01", 1, "from somewhere"), "")
    assert set(re.findall(r'data-figure="([^"]+)"', page)) == set(figures_of(page))
    assert "fall" in page and "cover 2" in page
