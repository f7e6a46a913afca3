"""The canary's process: looks at the chain through a node of its own, shows what it sees as metrics, tells
people when something stands too long. It has no key, no database and no index."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from keeper.app.config import Config
from keeper.app.nodes import open_pool
from keeper.app.subscriptions import Subscriptions
from keeper.chain import deployment as deployments
from keeper.chain.canary_reader import CanaryReader
from keeper.chain.contracts import Protocol
from keeper.chain.node import BlockRef, NodeError
from keeper.jobs.canary import ALARMS, Limits, Sighting, alarms_of, changes_of
from keeper.network.health import health_app
from keeper.network.notify import Messenger, Notifier, NotifyError
from keeper.network.published import Published, PublishedError
from keeper.observability import names
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.observability.redaction import SECRETS
from keeper.observability.watchdog import Watchdog

_NEAR = 11, 10  # of maintenance margin: accounts with less are asked about


@dataclass
class Canary:
    """What it sees, and what it has said."""

    config: Config
    reader: CanaryReader
    published: Published
    metrics: Metrics
    watchdog: Watchdog
    messenger: Messenger
    subscriptions: Subscriptions
    closers: list[Callable[[], None]] = field(default_factory=list)
    seen: Sighting | None = None
    alarms: dict[str, str] = field(default_factory=dict)
    problem: str = "starting"
    leaves_problem: str = ""
    _near: tuple[int, list[int]] = (0, [])  # epoch, accounts near their maintenance margin by it
    _unflagged: dict[int, int] = field(default_factory=dict)  # since which block

    def tick(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """One look, unless `stopping`. A node that does not answer is kept as the problem."""
        if stopping():
            return
        try:
            seen = self._look()
        except NodeError as error:
            self.problem = str(error)
        else:
            self.problem = ""
            self._tell_changes(seen)
            self._tell_alarms(seen)
            self.seen = seen
            self._show(seen)
        self.metrics.set(names.READY, not self.problem)

    def _look(self) -> Sighting:
        """Everything at one block."""
        protocol, reader = self.reader.protocol, self.reader
        head = protocol.node.head()
        at, header = head.hash, protocol.header(head.hash)
        fund, shortfall = reader.money(at)
        auctions = reader.auctions(head)
        return Sighting(
            number=head.number,
            time=head.timestamp,
            epoch=header.number,
            epoch_age=head.timestamp - header.timestamp if header.number else 0,
            stale_after=protocol.limits(at).stale_after,
            unflagged=self._unflagged_now(head, header.number),
            auctions=auctions,
            unsettled=reader.unsettled(head),
            paused_until=reader.paused_until(at),
            powers=reader.powers(at),
            fund=fund,
            shortfall=shortfall,
        )

    def _unflagged_now(self, head: BlockRef, epoch: int) -> dict[int, int]:
        """Accounts that may be flagged, and the block in which that was first seen."""
        if not epoch or not self.config.canary.keepers:
            return {}
        self.leaves_problem = ""
        try:
            if self._near[0] != epoch:
                self._near = epoch, self._near_margin(head, epoch)
            found = [a for a in self._near[1] if self._may_be_flagged(head, epoch, a)]
        except PublishedError as error:
            self.leaves_problem = str(error)
            return self._unflagged
        self._unflagged = {account: self._unflagged.get(account, head.number) for account in found}
        return dict(self._unflagged)

    def _near_margin(self, head: BlockRef, epoch: int) -> list[int]:
        """Accounts not well above maintenance margin by cash and mark: collateral is left to the chain."""
        margins = self.published.margins(epoch)
        cash = self.reader.cash(head.hash, [account for account, *_ in margins])
        near, least = [], _NEAR
        for account, _, mark, maintenance in margins:
            if maintenance and (cash[account][0] + mark) * least[1] < maintenance * least[0]:
                near.append(account)
        return near

    def _may_be_flagged(self, head: BlockRef, epoch: int, account: int) -> bool:
        try:
            claim = self.published.claim(epoch, account)
        except PublishedError:
            return False  # closed, or changed beyond what the epoch answers for
        return self.reader.may_be_flagged(head.hash, account, claim)

    def _tell_changes(self, seen: Sighting) -> None:
        before: Mapping[str, str] = self.seen.powers if self.seen else {}
        if self.seen is None:
            expected = self.reader.protocol.deployment.quorum
            before = {"quorum": expected}  # what the record says is what the operator believes
        for what, text in changes_of(before, seen.powers).items():
            self.metrics.count(names.CANARY_CHANGES, what=what)
            self._say(f"{what} changed", text, {"alarm": "change", "what": what})

    def _tell_alarms(self, seen: Sighting) -> None:
        section = self.config.canary
        limits = Limits(
            max_epoch_age=section.max_epoch_age_seconds,
            max_unflagged_blocks=section.max_unflagged_blocks,
            max_auction_seconds=section.max_auction_seconds,
            max_settlement_seconds=section.max_settlement_seconds,
            minimum_fund=section.minimum_fund,
        )
        now = alarms_of(seen, limits)
        for alarm in now.keys() - self.alarms.keys():
            self._say(f"alarm: {alarm}", now[alarm], {"alarm": alarm, "state": "raised"})
        for alarm in self.alarms.keys() - now.keys():
            text = f"no longer: {self.alarms[alarm]}"
            self._say(f"over: {alarm}", text, {"alarm": alarm, "state": "cleared"})
        self.alarms = now

    def _say(self, title: str, text: str, facts: dict[str, Any]) -> None:
        logger("canary").warning(title, text=text)
        for url in self.subscriptions.alarms:
            try:
                self.messenger.send(url, f"Plimsoll {title}", text, facts)
            except NotifyError as error:
                self.metrics.count(names.NOTICES, kind="alarm", result="failed")
                logger("canary").error("not told", reason=str(error))
            else:
                self.metrics.count(names.NOTICES, kind="alarm", result="sent")

    def _show(self, seen: Sighting) -> None:
        since = [seen.number - block for block in seen.unflagged.values()]
        delays = [seen.time - expiry for _, expiry in seen.unsettled]
        values = {
            names.CANARY_TIME: time.time(),
            names.CANARY_EPOCH_AGE: seen.epoch_age,
            names.CANARY_UNFLAGGED: len(seen.unflagged),
            names.CANARY_UNFLAGGED_BLOCKS: max(since, default=0),
            names.CANARY_AUCTIONS: len(seen.auctions),
            names.CANARY_AUCTION_AGE: max(seen.auctions.values(), default=0),
            names.CANARY_UNSETTLED: len(seen.unsettled),
            names.CANARY_SETTLEMENT_DELAY: max(delays, default=0),
            names.CANARY_FUND: seen.fund,
            names.CANARY_SHORTFALL: seen.shortfall,
        }
        for name, value in values.items():
            self.metrics.set(name, value)
        self.metrics.set(names.CANARY_PAUSED, seen.paused_until > seen.time, contract="Clearinghouse")
        for alarm in ALARMS:
            self.metrics.set(names.CANARY_ALARMS, alarm in self.alarms, alarm=alarm)

    def status(self) -> dict[str, Any]:
        """The operator's view."""
        reason = SECRETS.redact(self.problem or self.watchdog.problem)
        checks = {"chain": self.problem or "ok", "leaves": self.leaves_problem or "ok"}
        found: dict[str, Any] = {"ready": not reason, "reason": reason, "roles": ["canary"]}
        found |= {"name": self.config.keeper.name, "alarms": self.alarms}
        found["checks"] = {name: SECRETS.redact(text) for name, text in checks.items()}
        if self.seen is not None:
            found |= {"block": self.seen.number, "epoch": self.seen.epoch, "powers": dict(self.seen.powers)}
        return found

    def application(self) -> Any:
        """`/live`, `/ready`, `/status` and `/metrics`."""
        return health_app(self.status, lambda: self.watchdog.problem, self.metrics.text)

    def close(self) -> None:
        """Give connections back."""
        for closer in self.closers:
            closer()


def build_canary(config: Config, messenger: Messenger | None = None) -> Canary:
    """Wire a canary. Raises one of the packages' errors with a clear sentence."""
    metrics = Metrics()
    metrics.watch_process()
    deployment = deployments.load(config.chain.deployment)
    chain_id = deployment.chain_id
    metrics.set(names.BUILD, 1, version=version("plimsoll"), roles="canary", chain_id=chain_id)
    pool = open_pool(config.chain, chain_id, metrics)
    return Canary(
        config=config,
        reader=CanaryReader(Protocol(pool, deployment)),
        published=Published(config.canary.keepers),
        metrics=metrics,
        watchdog=Watchdog(metrics, config.operations.silent_seconds),
        messenger=messenger or Notifier(),
        subscriptions=Subscriptions.load(config.notices.subscriptions),
        closers=[pool.close],
    )
