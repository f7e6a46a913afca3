"""A page of plots."""

from keeper.analysis.figure_page import Panel, page


def test_page__two_panels__plotly_once_and_nothing_from_elsewhere() -> None:
    panels = [Panel(f"plot {n}", "a < b", [{"type": "bar", "x": [1], "y": [2]}], {}) for n in (1, 2)]
    text = page("title & more", "lead", panels)
    alone = page("title", "lead", panels[:1])
    # the library comes once, and a difference of five megabytes is no message
    assert len(text) < len(alone) + 20_000
    found = [part in text for part in ("title &amp; more", "a &lt; b", "plot 1", "plot 2", 'src="http')]
    assert found == [True, True, True, True, False]
