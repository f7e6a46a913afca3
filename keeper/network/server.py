"""The HTTP server. Services are passed in; this file maps them to paths and their refusals to status
codes."""

from collections.abc import Callable
from typing import Any, Protocol

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from keeper.attestation.epoch import EpochStatement
from keeper.network.schemas import (
    AccountAnswer,
    AuctionAnswer,
    ClaimAnswer,
    EpochAnswer,
    EpochProposal,
    LeafAnswer,
    MarginsAnswer,
    ReportAnswer,
    ReportProposal,
    ReportRequest,
    SignatureAnswer,
    hex_text,
    margin_fields,
    plain,
)

_MAX_BODY = 8 * 1024 * 1024
_LOW_64 = 2**64 - 1


class Refusal(Exception):  # noqa: N818  an answer, not a fault
    """What was asked for is not done, and why: one sentence. Answered with 409."""


class Unavailable(Exception):  # noqa: N818
    """It cannot be answered now (no epoch yet, node down): try again. Answered with 503."""


class Absent(Exception):  # noqa: N818
    """What was asked for is not there. Answered with 404."""


class StatementReader(Protocol):
    """Served epochs."""

    def latest(self) -> EpochStatement | None: ...

    def get(self, number: int) -> EpochStatement | None: ...

    def snapshot_text(self, number: int) -> str | None: ...


class AttesterService(Protocol):
    """Signs what it can reproduce."""

    def sign_epoch(self, proposal: EpochProposal) -> SignatureAnswer: ...

    def sign_report(self, proposal: ReportProposal) -> SignatureAnswer: ...


class AccountReader(Protocol):
    """Accounts, auctions and claims as they are now. Raises Absent for what is not there."""

    def account(self, account: int) -> AccountAnswer: ...

    def auctions(self) -> list[AuctionAnswer]: ...

    def claim(self, number: int, account: int) -> ClaimAnswer: ...


class ReportService(Protocol):
    """Gathers reports for wallets."""

    def report(self, request: ReportRequest) -> ReportAnswer: ...


def create_app(
    statements: StatementReader,
    status: Callable[[], dict[str, Any]],
    attester: AttesterService | None = None,
    reports: ReportService | None = None,
    accounts: AccountReader | None = None,
    metrics: Callable[[], str] | None = None,
) -> FastAPI:
    """The application of one process; paths whose service is missing do not exist."""
    app = FastAPI(title="Plimsoll keeper", version="1", docs_url=None, redoc_url=None)

    @app.exception_handler(Refusal)
    def _refused(_request: Request, error: Refusal) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=409)

    @app.exception_handler(Absent)
    def _absent(_request: Request, error: Absent) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=404)

    @app.exception_handler(Unavailable)
    def _unavailable(_request: Request, error: Unavailable) -> Response:
        return JSONResponse({"detail": str(error)}, status_code=503)

    @app.middleware("http")
    async def _bounded(request: Request, call_next: Callable[[Request], Any]) -> Response:
        if int(request.headers.get("content-length") or 0) > _MAX_BODY:
            return JSONResponse({"detail": "request too large"}, status_code=413)
        response: Response = await call_next(request)
        return response

    _add_health(app, status)
    _add_reads(app, statements)
    if accounts is not None:
        _add_accounts(app, accounts)
    if metrics is not None:
        _add_metrics(app, metrics)
    if attester is not None:
        app.post("/v1/epochs")(attester.sign_epoch)
        app.post("/v1/attestations/reports")(attester.sign_report)
    if reports is not None:
        app.post("/v1/reports")(reports.report)
    return app


def _add_health(app: FastAPI, status: Callable[[], dict[str, Any]]) -> None:
    @app.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/ready")
    def ready(response: Response) -> dict[str, Any]:
        found = status()
        if not found.get("ready"):
            response.status_code = 503
        return {"ready": bool(found.get("ready")), "reason": found.get("reason", "")}

    @app.get("/status")
    def full() -> dict[str, Any]:
        return status()


def _add_reads(app: FastAPI, statements: StatementReader) -> None:
    @app.get("/v1/epochs/latest")
    def latest() -> EpochAnswer:
        return _epoch_answer(_latest(statements))

    @app.get("/v1/epochs/{number}")
    def epoch(number: int) -> EpochAnswer:
        return _epoch_answer(_numbered(statements, number))

    @app.get("/v1/epochs/{number}/snapshot", response_class=PlainTextResponse)
    def snapshot(number: int) -> str:
        found = statements.snapshot_text(number)
        if found is None:
            raise HTTPException(404, f"epoch {number} is not served here")
        return found

    @app.get("/v1/epochs/{number}/margins")
    def margins(number: int) -> MarginsAnswer:
        found = _numbered(statements, number)
        return MarginsAnswer(epoch=number, margins=[margin_fields(leaf) for leaf in found.margins])

    @app.get("/v1/epochs/{number}/accounts/{account}")
    def account(number: int, account: int) -> LeafAnswer:
        return _account_answer(_numbered(statements, number), account)

    @app.get("/v1/epochs/{number}/instruments/{instrument}")
    def instrument_of(number: int, instrument: int) -> LeafAnswer:
        return _instrument_answer(_numbered(statements, number), instrument)

    @app.get("/v1/instruments/{instrument}")
    def instrument(instrument: int) -> LeafAnswer:
        return _instrument_answer(_latest(statements), instrument)


def _add_accounts(app: FastAPI, accounts: AccountReader) -> None:
    @app.get("/v1/accounts/{account}")
    def account_now(account: int) -> AccountAnswer:
        return accounts.account(account)

    @app.get("/v1/auctions")
    def auctions() -> list[AuctionAnswer]:
        return accounts.auctions()

    @app.get("/v1/epochs/{number}/accounts/{account}/claim")
    def claim(number: int, account: int) -> ClaimAnswer:
        return accounts.claim(number, account)


def _add_metrics(app: FastAPI, metrics: Callable[[], str]) -> None:
    @app.get("/metrics", response_class=PlainTextResponse)
    def text() -> str:
        return metrics()


def _latest(statements: StatementReader) -> EpochStatement:
    found = statements.latest()
    if found is None:
        raise Unavailable("no epoch has been posted yet")
    return found


def _numbered(statements: StatementReader, number: int) -> EpochStatement:
    found = statements.get(number)
    if found is None:
        raise HTTPException(404, f"epoch {number} is not served here")
    return found


def _epoch_answer(found: EpochStatement) -> EpochAnswer:
    e = found.epoch
    names = (
        "number timestamp blockNumber blockHash snapshotHash methodologyHash marketRoot marginRoot spotsHash"
    )
    return EpochAnswer(
        number=e.number,
        epoch=dict(zip(names.split(), plain(e.values()), strict=True)),
        root=hex_text(found.root),
        spots=[{"posted": str(word >> 64), "effective": str(word & _LOW_64)} for word in found.spots],
        accounts=[str(m.account) for m in found.margins],
        instruments=[str(i.instrument) for i in found.instruments],
    )


def _account_answer(found: EpochStatement, account: int) -> LeafAnswer:
    try:
        leaf, proof = found.margin(account), found.account_proof(account)
    except LookupError as error:
        raise HTTPException(404, str(error.args[0])) from None
    return LeafAnswer(
        epoch=found.epoch.number,
        root=hex_text(found.root),
        leaf=margin_fields(leaf),
        proof=[hex_text(p) for p in proof],
        breakdown=dict(found.details[account].breakdown),
    )


def _instrument_answer(found: EpochStatement, instrument: int) -> LeafAnswer:
    try:
        leaf, proof = found.instrument(instrument), found.instrument_proof(instrument)
    except LookupError as error:
        raise HTTPException(404, str(error.args[0])) from None
    names = ("instrument", "mark", "imLong", "mmLong", "imShort", "mmShort")
    return LeafAnswer(
        epoch=found.epoch.number,
        root=hex_text(found.root),
        leaf=dict(zip(names, plain(leaf.values()), strict=True)),
        proof=[hex_text(p) for p in proof],
    )
