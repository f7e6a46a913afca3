"""The page of fitted chains: complete, self-contained, and safe whatever names hold."""

import json
import re

import pytest

from keeper.analysis import surface_figures
from keeper.analysis.surface_page import render
from keeper.sources.chain_fit import ChainFit, fit_chain
from keeper.sources.chains import read_chain
from tests.support import option_chain


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> ChainFit:
    path = tmp_path_factory.mktemp("chain") / "chain.csv"
    return fit_chain(read_chain(option_chain.write(path, option_chain.rows())))


def figures(page: str) -> dict[str, object]:
    found = re.search(r'id="figures">(.*?)</script>', page)
    assert found is not None
    return dict(json.loads(found[1]))


def test_render__one_chain__every_expiry_drawn_and_listed(fit: ChainFit) -> None:
    page = render([fit], "chain.csv", "PLOTLY")
    drawn = figures(page)
    assert {"surface of BTC", "total variance of BTC"} < drawn.keys()
    assert len(drawn) == 2 + len(option_chain.SMILES)
    assert page.count("PLOTLY") == 1
    assert all(f'data-figure="{name}"' in page for name in drawn)


def test_render__asks_nobody_for_anything(fit: ChainFit) -> None:
    page = render([fit], "chain.csv", "")
    assert "default-src 'none'" in page
    assert re.search(r"""(src|href)=["']?(https?:)?//""", page) is None


def test_render__markup_in_a_name__escaped(fit: ChainFit) -> None:
    assert "<b>" not in render([fit], "<b>chain</b>", "")


def test_smile_figure__one_sided_quotes__shown_apart(fit: ChainFit) -> None:
    names = [trace["name"] for trace in surface_figures.smile_figure(fit.slices[-1])["data"]]
    assert names == ["bid to ask", "one side only", "mark or middle", "fit"]


def test_variance_figure__lines__never_cross_an_earlier_one(fit: ChainFit) -> None:
    lines = surface_figures.variance_figure(fit.slices)["data"]
    for near, far in zip(lines, lines[1:], strict=False):
        assert min(far["y"]) > min(near["y"])
