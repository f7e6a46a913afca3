"""Epochs for a keeper that neither proposes nor signs them: the snapshot from any other keeper, everything
else computed here. Who gave it need not be trusted, as the result must be what the chain has taken.
"""

import httpx

from keeper.attestation.epoch import EpochStatement, build
from keeper.attestation.snapshot import Snapshot
from keeper.chain.contracts import ORACLE
from keeper.jobs.desk import Desk
from keeper.jobs.observe import ChainView
from keeper.network.client import get_text
from keeper.network.schemas import hex_text
from keeper.network.server import Unavailable
from keeper.observability.logs import logger


class Follower:
    """Keeps the latest epoch at hand."""

    def __init__(self, desk: Desk, keepers: tuple[str, ...]) -> None:
        """`keepers`: addresses of their APIs, asked in order."""
        self._desk = desk
        self._keepers = keepers

    def tick(self, view: ChainView) -> bool:
        """Whether an epoch was fetched. Raises Unavailable, naming why, when nobody gave the right one."""
        number = view.header.number
        if number == 0 or self._desk.statements.get(number) is not None:
            return False
        problems = []
        for url in self._keepers:
            try:
                snapshot, statement = self._fetch(url, number)
                self._require_posted(statement, view)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, OverflowError) as error:
                problems.append(f"{url}: {str(error) or type(error).__name__}")
                continue
            self._desk.statements.keep(snapshot, statement)
            logger("follow").info("epoch", number=number, source=url)
            return True
        raise Unavailable(f"epoch {number} is not known here: {'; '.join(problems) or 'no keeper to ask'}")

    def _fetch(self, url: str, number: int) -> tuple[Snapshot, EpochStatement]:
        snapshot = Snapshot.from_json(get_text(f"{url}/v1/epochs/{number}/snapshot"))
        return snapshot, build(snapshot, self._desk.methodology, number)

    def _require_posted(self, statement: EpochStatement, view: ChainView) -> None:
        """ValueError unless the chain has taken this very epoch."""
        epoch = statement.epoch
        posted = self._desk.index.last_event(ORACLE, "EpochPosted", view.block.number)
        ours = {
            "number": epoch.number,
            "snapshotHash": hex_text(epoch.snapshot_hash),
            "marketRoot": hex_text(epoch.market_root),
            "marginRoot": hex_text(epoch.margin_root),
        }
        for name, value in ours.items():
            if posted is None or posted.payload[name] != value:
                raise ValueError(f"{name} is not that of the epoch on the chain")
