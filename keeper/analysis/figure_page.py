"""A page of a few plots that needs nothing from elsewhere."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from keeper.analysis.report_style import STYLE

COLOURS = {"equity": "#1f6fb2", "initial": "#c07a12", "maintenance": "#c23b32", "muted": "#8794a1"}


class Panel(NamedTuple):
    """A plot: Plotly's traces and layout."""

    title: str
    caption: str
    traces: Sequence[dict[str, Any]]
    layout: dict[str, Any]


def page(title: str, lead: str, panels: Sequence[Panel]) -> str:
    """The whole page as text."""
    cards = "".join(_card(panel, first=index == 0) for index, panel in enumerate(panels))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f'<header><div><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p></div></header>'
        f"<main>{cards}</main></body></html>\n"
    )


def _card(panel: Panel, *, first: bool) -> str:
    from plotly.graph_objects import Figure
    from plotly.io import to_html

    look = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": COLOURS["muted"]},
        "margin": {"l": 70, "r": 20, "t": 20, "b": 60},
        "legend": {"orientation": "h"},
    }
    figure = Figure(data=list(panel.traces), layout={**look, **panel.layout})
    plot = to_html(figure, full_html=False, include_plotlyjs=first, config={"displaylogo": False})
    return (
        f'<section><h2>{escape(panel.title)}</h2><p class="caption">{escape(panel.caption)}</p>'
        f'<div class="card">{plot}</div></section>'
    )
