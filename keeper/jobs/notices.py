"""Margin-call notices: looks at the subscribed accounts after every block, and tells each reader once when an
account's health falls below a level."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keeper.chain.liquidation import LiquidationReader
from keeper.jobs.claims import history_of
from keeper.jobs.decide_notices import Calm, Due, Subscriber, decide_notices, message
from keeper.jobs.desk import Desk
from keeper.jobs.health import Prices, prices_of
from keeper.jobs.observe import ChainView
from keeper.liquidation import claim as claims
from keeper.liquidation.claim import ClaimError
from keeper.network.notify import Messenger, NotifyError
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.observability.names import NOTICES
from keeper.store import notice_store
from keeper.store.database import Database
from keeper.store.notice_store import FAILED, RAISED, NoticeRow
from keeper.units.constants import WAD

_RETRY_SECONDS = 60  # of chain time: who could not be told is not tried with every block


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's equity, collateral after its haircuts included, and maintenance margin; WAD."""

    equity: int
    maintenance: int

    @property
    def health(self) -> float:
        """Their ratio; infinite without a margin."""
        return self.equity / self.maintenance if self.maintenance else math.inf


class Notices:
    """One tick: every subscribed account once per block."""

    def __init__(
        self,
        desk: Desk,
        database: Database,
        messenger: Messenger,
        subscribers: Sequence[Subscriber],
        calm: Calm,
        metrics: Metrics,
    ) -> None:
        self._desk, self._database, self._messenger = desk, database, messenger
        self._subscribers, self._calm, self._metrics = subscribers, calm, metrics
        self._reader = LiquidationReader(desk.protocol)
        self._done = ""  # block that has been looked at
        self._failed: dict[tuple[int, str], int] = {}  # when a reader could not be told

    def tick(self, view: ChainView) -> int:
        """Tell whoever is to be told; returns the number of readers told."""
        statement = self._desk.statements.latest()
        if view.block.hash == self._done or statement is None:
            return 0
        prices = prices_of(view, self._reader.rate(view.block.hash))
        told = 0
        for account in sorted({s.account for s in self._subscribers}):
            standing = self._standing(view, prices, account)
            if standing is not None:
                readers = [s for s in self._subscribers if s.account == account]
                told += sum(self._look(reader, standing, view.block.timestamp) for reader in readers)
        self._done = view.block.hash
        return told

    def _standing(self, view: ChainView, prices: Prices, account: int) -> Standing | None:
        """By the latest epoch and every change since; None while neither can say."""
        statement, row = self._desk.statements.latest(), view.rows.get(account)
        if statement is None or row is None:
            return None
        at = view.block.hash
        try:
            links = self._desk.index.changes(account, view.block.number)
            history = history_of(statement, row, links)
            slack = claims.slack_of(history.effect, prices.apart)
            moved = claims.moved_value(history.effect, prices.of_tokens)
            units = {unit.instrument: unit for unit in history.units}
            bound = claims.bounds(history.leaf, units, history.effect, slack, moved)
        except (ClaimError, LookupError):
            return None  # new, or traded beyond what the epoch answers for: the next one says
        liquid = self._reader.liquid(at, [account])[account]
        value = self._reader.valuations(at, [row.positions])[0]
        equity = liquid + bound.mark + prices.collateral(row).maintenance
        return Standing(equity, claims.capped(bound.maintenance, bound.mark, value.least))

    def _look(self, reader: Subscriber, standing: Standing, now: int) -> int:
        if now < self._failed.get((reader.account, reader.name), 0) + _RETRY_SECONDS:
            return 0
        with self._database.read() as connection:
            known = notice_store.notices_of(connection, reader.account, reader.name)
        due = decide_notices(reader, standing.health, known, now, self._calm)
        if due.clear:
            with self._database.begin() as connection:
                for row in due.clear:
                    notice_store.put(connection, row)
        return self._tell(reader, standing, due, now) if due.tell else 0

    def _tell(self, reader: Subscriber, standing: Standing, due: Due, now: int) -> int:
        """One message for all levels crossed. Kept before it is sent: after a crash it counts as sent."""
        claimed = [row for row in due.tell if notice_store.claim(self._database, row)]
        if not claimed:
            return 0
        equity, maintenance = standing.equity / WAD, standing.maintenance / WAD
        text = message(reader, standing.health, equity, maintenance, claimed)
        facts = {
            "account": reader.account,
            "health": round(standing.health, 6),
            "levels": [row.level for row in claimed],
            "equity": str(standing.equity),
            "maintenance_margin": str(standing.maintenance),
            "time": now,
        }
        title = f"Margin call: account {reader.account} at health {standing.health:.3f}"
        is_sent = self._send(reader, title, text, facts)
        self._keep(claimed, is_sent, now)
        if not is_sent:
            self._failed[reader.account, reader.name] = now
        self._metrics.count(NOTICES, kind="margin", result="sent" if is_sent else "failed")
        logger("notices").info("told", account=reader.account, reader=reader.name, sent=is_sent)
        return int(is_sent)

    def _send(self, reader: Subscriber, title: str, text: str, facts: dict[str, object]) -> bool:
        """Whether one of the reader's addresses took it."""
        taken = False
        for url in reader.urls:
            try:
                self._messenger.send(url, title, text, facts)
                taken = True
            except NotifyError as error:
                logger("notices").error("not told", reader=reader.name, reason=str(error))
        return taken

    def _keep(self, rows: Sequence[NoticeRow], is_sent: bool, now: int) -> None:
        with self._database.begin() as connection:
            for row in rows:
                state, sent_at = (RAISED, now) if is_sent else (FAILED, row.sent_at)
                notice_store.put(connection, replace(row, state=state, sent_at=sent_at))
