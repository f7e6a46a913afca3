"""The settler: fixes the price of expired legs, then turns them into cash, account by account. Anyone may
do the same."""

from keeper.chain.contracts import CLEARINGHOUSE, ORACLE, Protocol
from keeper.chain.transactions import Sender
from keeper.jobs.decide import decide_settlements
from keeper.jobs.observe import ChainView
from keeper.observability.logs import logger
from keeper.observability.metrics import Metrics
from keeper.observability.names import SETTLED
from keeper.store.transaction_store import State

_RETRY_SECONDS = 30  # of chain time: a window that is not complete yet is asked for again


class Settler:
    """One tick: at most one transaction per expiry and per account and retry period."""

    def __init__(self, protocol: Protocol, sender: Sender, metrics: Metrics | None = None) -> None:
        self._protocol = protocol
        self._sender = sender
        self._metrics = metrics or Metrics()
        self.finalized = 0
        self.settled = 0

    def tick(self, view: ChainView) -> int:
        """Submit what is due in this view; returns the number of transactions that passed simulation."""
        due = decide_settlements(view)
        period = view.block.timestamp // _RETRY_SECONDS
        sent = 0
        for underlying, expiry in due.finalize:
            calldata = self._protocol.calldata(ORACLE, "finalize_settlement", underlying, expiry)
            target = self._protocol.deployment.oracle
            sent += self._submit(
                f"finalize:{underlying}:{expiry}:{period}", "finalize", target, calldata, view
            )
        for account, instruments in due.settle:
            calldata = self._protocol.calldata(CLEARINGHOUSE, "settle", account, list(instruments))
            target = self._protocol.deployment.clearinghouse
            sent += self._submit(f"settle:{account}:{view.block.timestamp}", "settle", target, calldata, view)
        return sent

    def _submit(self, id: str, kind: str, target: str, calldata: str, view: ChainView) -> int:
        if self._sender.find(id) is not None or self._is_underway(kind, id):
            return 0
        intent = self._sender.submit(id, kind, target, calldata, view.block.timestamp)
        if intent.state == State.DROPPED:
            return 0
        self.finalized += kind == "finalize"
        self.settled += kind == "settle"
        self._metrics.count(SETTLED, kind=kind)
        logger("settle").info(kind, id=id, state=intent.state)
        return 1

    def _is_underway(self, kind: str, id: str) -> bool:
        """The same thing under an earlier period's id is still on its way."""
        stem = id.rsplit(":", 1)[0] + ":"
        return any(i.kind == kind and i.id.startswith(stem) for i in self._sender.unresolved())
