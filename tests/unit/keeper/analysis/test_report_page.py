"""The report page: well-formed, complete, self-contained, and safe against hostile names."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from keeper.analysis.report_data import (
    AccountHistory,
    AuctionHistory,
    Bid,
    Check,
    FeeHistory,
    FundHistory,
    FundingHistory,
    ReportData,
    Smile,
    SpotHistory,
    Surface,
    Tile,
)
from keeper.analysis.report_page import render

_VOID = {"meta", "link", "br", "img", "input", "hr"}
_TIMES = (1_743_980_400, 1_743_984_000, 1_743_987_600)
_HOSTILE = "Mallory</script><script>alert(1)</script> & \"Co\" 'Ltd'"
_PLOTLY = "window.Plotly={react(){}};// ends </script> early"


class _Page(HTMLParser):
    """Checks that every element is closed in order; keeps texts and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> does not close the last element"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text_of(self, tag: str) -> list[str]:
        return [text for within, text in self.texts if within == tag]

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def _account(name: str, equity: tuple[float, ...] = (10.0, 4.0, 8.0)) -> AccountHistory:
    margins = (6.0, 6.0, 6.0), (5.0, 5.0, 5.0)
    return AccountHistory(
        name, _TIMES, equity, *margins, state="liquidated in part", funding=-12.3, fees=4_567.8
    )


def _data() -> ReportData:
    bid = Bid(_TIMES[1] + 120, 0.25, 2.2, 0.956)
    auction = AuctionHistory(
        "perp long", False, 9.0, 10.0, ((_TIMES[1], 0.98), (_TIMES[1] + 120, 0.956)), (bid,), "restored"
    )
    return ReportData(
        title="A run",
        subtitle="What happened",
        tiles=(Tile("Epochs", "3"),),
        spots=(SpotHistory("ETH", _TIMES, (1_600.0, 1_500.0, 1_550.0), (1_600.0, 1_510.0, 1_550.0)),),
        accounts=(
            _account("perp long"),
            _account(_HOSTILE),
            replace(_account("put writer"), fully_collateralised=True),
        ),
        auctions=(auction,),
        surfaces=(Surface("ETH", (1.0, 30.0), (-0.1, 0.0, 0.1), ((0.7, 0.6, 0.7), (0.6, 0.5, 0.6))),),
        smiles=(Smile("ETH", _TIMES[0], 1_745_568_000, (1_400.0, 1_600.0), (0.7, 0.6)),),
        fund=FundHistory(_TIMES, (100.0, 90.0, 90.0), ((_TIMES[1], 10.0),)),
        gas={"epoch": (86_000, 87_000, 90_000), "flag": (200_000,), "never sent": ()},
        checks=(Check("sums to zero", True), Check("conserved", False)),
        sources={"venues": "recorded"},
        caveat="A model, not a record.",
        moments={_TIMES[2]: "settlement"},
        funding=(FundingHistory("ETH", _TIMES[:2], (0.001, -0.002), (0.0005, -0.0015)),),
        fees=FeeHistory(_TIMES, (1.0, 2.0, 2.0), (0.0, 0.0, 0.5)),
    )


@pytest.fixture(scope="module")
def text() -> str:
    return render(_data(), _PLOTLY)


def _figures(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    figures: dict[str, Any] = json.loads(found.group(1))
    return figures


def test_render__whole_page__every_element_is_closed_in_order(text: str) -> None:
    page = _Page(text)
    assert page.open == []
    assert text.startswith("<!doctype html>")


def test_render__whole_page__refers_to_nothing_outside(text: str) -> None:
    page = _Page(text)
    assert page.values("src") == []
    assert all(link.startswith("#") for link in page.values("href"))
    assert not re.search(r"https?:|@import|url\(", text)


def test_render__whole_page__its_policy_forbids_requests(text: str) -> None:
    policy = next(value for value in _Page(text).values("content") if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy and "http" not in policy


def test_render__accounts__each_has_a_row_an_option_and_a_figure(text: str) -> None:
    page, figures = _Page(text), _figures(text)
    for account in _data().accounts:
        assert account.name in page.text_of("button")
        assert account.name in page.text_of("option")
        names = {trace["name"] for trace in figures[f"account {account.name}"]["data"]}
        assert names == {"equity", "initial margin", "maintenance margin"}


def test_render__hostile_name__stays_text(text: str) -> None:
    page = _Page(text)
    assert len(page.text_of("script")) == 3
    assert "<script>alert" not in text
    assert _HOSTILE in page.text_of("button")


def test_render__script_end_inside_plotly__does_not_end_the_element(text: str) -> None:
    scripts = _Page(text).text_of("script")
    assert any("Plotly={react" in script and "early" in script for script in scripts)


def test_render__figure_of_every_plot__exists(text: str) -> None:
    page, figures = _Page(text), _figures(text)
    named = set(page.values("data-figure"))
    assert named and named <= set(figures)
    assert {option for option in page.values("value")} <= set(figures)


def test_render__account_below_maintenance__bar_is_low_and_ratio_is_the_least(text: str) -> None:
    row = next(r for r in text.split("<tr")[1:] if "perp long" in r)
    assert "0.80" in row and 'class="low"' in row


def test_render__fully_collateralised__no_ratio(text: str) -> None:
    row = next(r for r in text.split("<tr")[1:] if "put writer" in r)
    assert "fully collateralised" in row and 'class="bar"' not in row


def test_render__account_chosen_first__one_that_was_in_auction() -> None:
    data = _data()
    later = replace(data, accounts=data.accounts[::-1])
    text = render(later, _PLOTLY)
    assert re.search(r'<option value="account perp long" selected>', text)
    assert 'id="account-plot" role="img" data-figure="account perp long"' in text


def test_render__tiny_bid__not_shown_as_nothing() -> None:
    data = _data()
    tiny = replace(data.auctions[0], bids=(Bid(_TIMES[1] + 60, 0.0002, 1.0, 0.97),))
    assert "taken under 0.1%" in render(replace(data, auctions=(tiny,)), _PLOTLY)


def test_render__violated_check__is_said(text: str) -> None:
    assert text.count(">violated<") == 1 and text.count(">holds<") == 1


def test_render__kind_without_transactions__has_no_bar(text: str) -> None:
    assert _figures(text)["gas"]["data"][0]["y"] == ["epoch", "flag"] or _figures(text)["gas"]["data"][0][
        "y"
    ] == ["flag", "epoch"]


def test_render__auction__curve_and_bid_are_drawn_in_milliseconds(text: str) -> None:
    curve, bids = _figures(text)["auction 1"]["data"]
    assert curve["x"] == [_TIMES[1] * 1000, (_TIMES[1] + 120) * 1000]
    assert curve["y"] == [98.0, 95.6]
    assert bids["x"] == [(_TIMES[1] + 120) * 1000] and bids["y"] == [95.6]


def test_render__funding_and_fees__drawn_and_summed_by_account(text: str) -> None:
    premium, rate = _figures(text)["funding of ETH"]["data"]
    assert premium["y"] == [10.0, -20.0] and rate["y"] == [5.0, -15.0]  # basis points
    fees, interest = _figures(text)["fees"]["data"]
    assert fees["y"] == [1.0, 2.0, 2.0] and interest["y"] == [0.0, 0.0, 0.5]
    row = next(r for r in text.split("<tr")[1:] if "perp long" in r)
    assert "<td>-12</td><td>4,568</td>" in row


def test_render__a_few_cents_of_funding__no_sign_before_the_zero() -> None:
    text = render(replace(_data(), accounts=(replace(_account("odd"), funding=-0.3),)), _PLOTLY)
    assert "<td>-0</td>" not in text and "<td>0</td>" in text


def test_render__nothing_happened__still_a_page() -> None:
    empty = replace(
        _data(), accounts=(), auctions=(), surfaces=(), smiles=(), fund=None, gas={}, checks=(), spots=()
    )
    empty = replace(empty, funding=(), fees=None)
    text = render(empty, _PLOTLY)
    assert _Page(text).open == []
    assert _figures(text) == {}


def test_render__not_a_number__is_refused() -> None:
    broken = replace(_data(), accounts=(_account("odd", (float("nan"), 1.0, 1.0)),))
    with pytest.raises(ValueError, match="JSON"):
        render(broken, _PLOTLY)
