"""One self-contained page of a backtest or a stress run, in the look of the other reports."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from keeper.analysis.report_script import SCRIPT
from keeper.analysis.report_style import STYLE

# the page may run what it holds and ask nobody for anything
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:"
)
_EXTRA_STYLE = """
:root { --series-7: #c0568f; --series-8: #7d8f1f; }
td.bad { color: var(--bad); font-weight: 600; } td.good { color: var(--good); }
.plot.long { height: 640px; } table.wide td:first-child { white-space: normal; min-width: 11rem; }
@media (max-width: 600px) { .plot.long { height: 560px; } }
"""


@dataclass(frozen=True)
class Cell:
    """One cell of a table; `tone` is "", "good" or "bad"."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Block:
    """A card: a title, a figure, a table, or both.

    Attributes:
        figure: plotly data and layout; size: "", "short", "tall" or "long".
        head, rows: of the table.
    """

    title: str
    figure: dict[str, Any] | None = None
    size: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with what it says and shows."""

    key: str
    title: str
    caption: str
    blocks: Sequence[Block] = ()


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        tiles: (label, value, note).
        footer: what a reader must know of the data.
    """

    title: str
    subtitle: str
    tiles: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]
    footer: str = field(default="")


def render(page: Page, plotly: str) -> str:
    """The page as text.

    Args:
        plotly: plotly.js, put inline once.
    """
    figures: dict[str, Any] = {}
    body = "".join(_section(section, figures) for section in page.sections)
    links = "".join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in page.sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(page.title)}</title>\n<style>{STYLE}{_EXTRA_STYLE}</style>\n</head>\n<body>\n"
        f'<header><div><h1>{escape(page.title)}</h1><p class="lead">{escape(page.subtitle)}</p>'
        f'<nav aria-label="Sections">{links}</nav></div></header>\n'
        f'<main><div class="tiles">{"".join(map(_tile, page.tiles))}</div>\n{body}</main>\n'
        f"<footer>{escape(page.footer)}</footer>\n"
        f'<script type="application/json" id="figures">{_json(figures)}</script>\n'
        f"<script>{_inline(plotly)}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _tile(tile: tuple[str, str, str]) -> str:
    label, value, note = map(escape, tile)
    return (
        f'<div class="tile"><div class="label">{label}</div><div class="value">{value}</div>'
        f'<div class="note">{note}</div></div>'
    )


def _section(section: Section, figures: dict[str, Any]) -> str:
    cards = "".join(_block(block, section.key, figures) for block in section.blocks)
    return (
        f'<section id="{section.key}"><h2>{escape(section.title)}</h2>'
        f'<p class="caption">{escape(section.caption)}</p>{cards}</section>\n'
    )


def _block(block: Block, section: str, figures: dict[str, Any]) -> str:
    content = f"<h3>{escape(block.title)}</h3>" if block.title else ""
    content += f'<p class="facts">{escape(block.note)}</p>' if block.note else ""
    if block.figure is not None:
        name = f"{section}: {block.title}"
        figures[name] = block.figure
        content += f'<div class="plot {block.size}" role="img" data-figure="{escape(name)}"></div>'
    if block.rows:
        content += _table(block.head, block.rows)
    return f'<div class="card">{content}</div><p></p>'


def _table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="wide"><thead><tr>{top}</tr></thead><tbody>{lines}</tbody>'
        "</table></div>"
    )


def _cell(cell: Cell) -> str:
    tone = f' class="{cell.tone}"' if cell.tone else ""
    return f"<td{tone}>{escape(cell.text)}</td>"


def _json(value: Any) -> str:
    """JSON that cannot end its script element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _inline(script: str) -> str:
    return script.replace("</script", "<\\/script")
