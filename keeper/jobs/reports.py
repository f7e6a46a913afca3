"""Reports for wallets: margins after one action, signed by a threshold of attesters."""

from keeper.jobs.desk import Desk
from keeper.network.client import Attesters, Gathered
from keeper.network.leaf_rows import margin_fields
from keeper.network.schemas import (
    ReportAnswer,
    ReportProposal,
    ReportRequest,
    SignatureMessage,
    SignaturesMessage,
    hex_text,
)
from keeper.network.server import SIGN_REPORT, Unavailable

_REPORT_SECONDS = 600  # a report lives no longer, in chain time


class Reports:
    """Gathers them."""

    def __init__(self, desk: Desk, attesters: Attesters) -> None:
        self._desk = desk
        self._attesters = attesters

    def report(self, request: ReportRequest) -> ReportAnswer:
        """Signed reports after an action. Raises Refusal or Unavailable."""
        with self._desk.lock:
            head = self._desk.sync()
            number = self._desk.protocol.header(head.hash).number
            if number == 0:
                raise Unavailable("no epoch has been posted yet")
            deadline = head.timestamp + _REPORT_SECONDS
            proposal = ReportProposal(epoch=number, deadline=deadline, action=request.action)
            draft = self._desk.draft_report(proposal)
        signers, threshold = list(draft.quorum.signers), draft.quorum.threshold
        gathered = self._attesters.gather(SIGN_REPORT, proposal, draft.digest, signers, threshold)
        signatures = gathered.assemble(threshold)
        if signatures is None:
            raise Unavailable(too_few(number, gathered, threshold))
        bitmap, compact = signatures
        return ReportAnswer(
            epoch=number,
            deadline=deadline,
            action=hex_text(draft.reports[0].action),
            margins=[margin_fields(report.margin) for report in draft.reports],
            breakdowns=[dict(margin.breakdown) for margin in draft.margins],
            instruments=[[str(leg.instrument) for leg in state.legs] for state in draft.after],
            signatures=SignaturesMessage(
                bitmap=str(bitmap),
                compact=[SignatureMessage(r=hex_text(r), vs=str(vs)) for r, vs in compact],
            ),
        )


def too_few(number: int, gathered: Gathered, threshold: int) -> str:
    """Who failed, and how many of how many."""
    refusals = "; ".join(f"{url}: {why}" for url, why in gathered.refusals.items())
    return f"epoch {number}: {len(gathered.signatures)} of {threshold} signatures ({refusals})"
