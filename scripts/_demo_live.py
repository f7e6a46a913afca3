"""The demo on a terminal: a bar of the path, and under it every account as of the latest epoch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import gmtime, strftime

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from scripts._demo_history import Figures
from scripts._demo_story import Role

_BAR = 20  # characters of equity at twice the maintenance margin
_FRESH = 2.0  # equity over maintenance margin that is shown as comfortable
_REFRESH = 6  # a second


@dataclass
class Board:
    """What is shown; `show` is called after every epoch."""

    roles: Mapping[int, Role]
    progress: Progress
    live: Live | None = None
    task: int = 0
    _past: set[int] = field(default_factory=set)  # accounts that have been in an auction

    def advance(self, what: str) -> None:
        """One step of the bar."""
        self.progress.update(self.task, advance=1, description=what)  # type: ignore[arg-type]

    def show(self, now: int, figures: Mapping[int, Figures]) -> None:
        """All accounts after an epoch."""
        self._past |= {account for account, f in figures.items() if f.in_auction}
        if self.live is not None:
            self.live.update(Group(self.progress, self.table(now, figures)))

    def table(self, now: int, figures: Mapping[int, Figures]) -> Table:
        """One row per account."""
        table = Table(title=strftime("%a %-d %b %Y %H:%M UTC", gmtime(now)), title_justify="left", box=None)
        for name, justify in (("account", "left"), ("equity", "right"), ("IM", "right"), ("MM", "right")):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("equity / MM", no_wrap=True)
        table.add_column("state", no_wrap=True)
        for account, f in figures.items():
            role = self.roles[account]
            money = (f"{value:,.0f}" for value in (f.equity, f.initial, f.maintenance))
            table.add_row(role.name, *money, cover_bar(f), self.state(account, f))
        return table

    def state(self, account: int, f: Figures) -> Text:
        """One word on an account."""
        if f.in_auction:
            return Text("in auction", "bold red")
        if self.roles[account].fully_collateralised:
            return Text("fully collateralised", "green")
        if not f.maintenance:
            return Text("no position", "dim")
        if f.is_below:
            return Text("below MM", "red")
        if f.equity < f.initial:
            return Text("below IM", "yellow")
        return Text("was in auction" if account in self._past else "", "dim")


def cover_bar(f: Figures) -> Text:
    """Equity over the maintenance margin: full at twice as much."""
    if not f.maintenance:
        return Text("")
    cover = f.equity / f.maintenance
    filled = round(min(max(cover / _FRESH, 0.0), 1.0) * _BAR)
    style = "red" if cover < 1 else "yellow" if cover < 1.25 else "green"
    number = f"{cover:5.2f}" if cover < 100 else " >100"
    return Text.assemble((f"{number} ", style), ("━" * filled, style), ("━" * (_BAR - filled), "grey30"))


@contextmanager
def board(console: Console, roles: Mapping[int, Role], steps: int) -> Iterator[Board]:
    """A live display on a terminal, else the bar alone, once at the end."""
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=console)
    found = Board(roles, progress)
    found.task = progress.add_task("start", total=steps)
    if not console.is_terminal:
        with progress:
            yield found
        return
    with Live(progress, console=console, refresh_per_second=_REFRESH, transient=True) as live:
        found.live = live
        yield found
