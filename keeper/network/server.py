"""The HTTP server. Services are passed in; this file maps them to paths and their refusals to status
codes."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Protocol

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.middleware.gzip import GZipMiddleware

from keeper.attestation.epoch import EpochStatement
from keeper.network.health import add_health, add_metrics
from keeper.network.leaf_rows import (
    FORWARD_FIELDS,
    INSTRUMENT_FIELDS,
    MARGIN_FIELDS,
    forward_row,
    instrument_row,
    margin_fields,
    margin_row,
)
from keeper.network.limits import Limits
from keeper.network.peers import Door, Peer
from keeper.network.reception import Counted, Reception, peer_of
from keeper.network.schemas import (
    MAX_PAGE,
    AccountAnswer,
    AuctionAnswer,
    ClaimAnswer,
    EpochAnswer,
    EpochProposal,
    LeafAnswer,
    LeavesAnswer,
    ProposalsAnswer,
    ReportAnswer,
    ReportProposal,
    ReportRequest,
    SignatureAnswer,
    hex_text,
    plain,
)

_LOW_64 = 2**64 - 1
_LEAST_COMPRESSED = 1_024  # bytes
_MAX_DETAIL = 400  # of a refusal; what was sent is not sent back
SIGN_EPOCH, SIGN_REPORT, REPORTS = "/v1/epochs", "/v1/attestations/reports", "/v1/reports"
_COSTS = {REPORTS: 10}  # tokens: every attester computes margins for it

LeafKind = Literal["margins", "instruments", "forwards"]
Offset = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


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

    def inputs_text(self, number: int) -> str | None: ...


class AttesterService(Protocol):
    """Signs what it can reproduce, for peers."""

    def sign_epoch(self, proposal: EpochProposal, peer: Peer) -> SignatureAnswer: ...

    def sign_report(self, proposal: ReportProposal, peer: Peer) -> SignatureAnswer: ...

    def proposals(self, number: int) -> ProposalsAnswer: ...


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
    door: Door | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
    counted: Counted | None = None,
    live: Callable[[], str] | None = None,
) -> FastAPI:
    """The application of one process; paths whose service is missing do not exist.

    Args:
        door: who may ask for signatures; without one nobody may.
        counted: told path template and status of every answer.
        live: what is wrong with the process itself, empty if nothing.
    """
    app = FastAPI(title="Plimsoll keeper", version="2", docs_url=None, redoc_url=None)
    _add_refusals(app)
    app.add_middleware(GZipMiddleware, minimum_size=_LEAST_COMPRESSED, compresslevel=5)
    signing = frozenset({SIGN_EPOCH, SIGN_REPORT})
    app.add_middleware(Reception, limits, door, signing, _COSTS, counted)
    add_health(app, status, live)
    _add_reads(app, statements)
    _add_leaves(app, statements)
    if accounts is not None:
        _add_accounts(app, accounts)
    if metrics is not None:
        add_metrics(app, metrics)
    if attester is not None:
        _add_signing(app, attester)
    if reports is not None:
        app.post(REPORTS)(reports.report)
    return app


def _add_refusals(app: FastAPI) -> None:
    for kind, code in ((Refusal, 409), (Absent, 404), (Unavailable, 503)):

        def refused(_request: Request, error: Exception, code: int = code) -> Response:
            return JSONResponse({"detail": str(error)[:_MAX_DETAIL]}, status_code=code)

        app.add_exception_handler(kind, refused)

    @app.exception_handler(RequestValidationError)
    def _malformed(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return JSONResponse({"detail": f"{where}: {first['msg']}"[:_MAX_DETAIL]}, status_code=422)


def _add_signing(app: FastAPI, attester: AttesterService) -> None:
    @app.post(SIGN_EPOCH)
    def sign_epoch(proposal: EpochProposal, request: Request) -> SignatureAnswer:
        return attester.sign_epoch(proposal, peer_of(request.scope))

    @app.post(SIGN_REPORT)
    def sign_report(proposal: ReportProposal, request: Request) -> SignatureAnswer:
        return attester.sign_report(proposal, peer_of(request.scope))

    @app.get("/v1/proposals/{number}")
    def proposals(number: int) -> ProposalsAnswer:
        return attester.proposals(number)


def _add_reads(app: FastAPI, statements: StatementReader) -> None:
    @app.get("/v1/epochs/latest")
    def latest() -> EpochAnswer:
        return _epoch_answer(_latest(statements))

    @app.get("/v1/epochs/{number}")
    def epoch(number: int) -> EpochAnswer:
        return _epoch_answer(_numbered(statements, number))

    @app.get("/v1/epochs/{number}/snapshot", response_class=PlainTextResponse)
    def snapshot(number: int) -> str:
        return _text(statements.snapshot_text(number), number)

    @app.get("/v1/epochs/{number}/inputs", response_class=PlainTextResponse)
    def inputs(number: int) -> str:
        return _text(statements.inputs_text(number), number)

    @app.get("/v1/epochs/{number}/accounts/{account}")
    def account(number: int, account: int) -> LeafAnswer:
        return _account_answer(_numbered(statements, number), account)

    @app.get("/v1/epochs/{number}/instruments/{instrument}")
    def instrument_of(number: int, instrument: int) -> LeafAnswer:
        return _instrument_answer(_numbered(statements, number), instrument)

    @app.get("/v1/instruments/{instrument}")
    def instrument(instrument: int) -> LeafAnswer:
        return _instrument_answer(_latest(statements), instrument)


def _add_leaves(app: FastAPI, statements: StatementReader) -> None:
    """All leaves, page by page: with them anyone proves, claims and flags. What a keeper has proposed or
    signed is there before its signature is."""

    @app.get("/v1/proposals/{number}/{kind}")
    @app.get("/v1/epochs/{number}/leaves/{kind}")
    def leaves(
        number: int,
        kind: LeafKind,
        request: Request,
        response: Response,
        offset: Offset = 0,
        limit: Limit = MAX_PAGE,
    ) -> Any:
        found = _numbered(statements, number)
        root = found.epoch.margin_root if kind == "margins" else found.epoch.market_root
        tag = f'"{root.hex()}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        response.headers["etag"] = tag
        return _page(found, kind, root, offset, limit)


def _page(found: EpochStatement, kind: LeafKind, root: bytes, offset: int, limit: int) -> LeavesAnswer:
    leaves, fields, row = _kinds(found)[kind]
    end = offset + limit
    return LeavesAnswer(
        epoch=found.epoch.number,
        kind=kind,
        root=hex_text(root),
        count=len(leaves),
        offset=offset,
        next=end if end < len(leaves) else None,
        fields=fields,
        rows=[row(leaf) for leaf in leaves[offset:end]],
    )


def _kinds(found: EpochStatement) -> dict[str, tuple[Sequence[Any], list[str], Callable[[Any], list[str]]]]:
    """Leaves, their fields, and how one becomes a row."""
    return {
        "margins": (found.margins, MARGIN_FIELDS, margin_row),
        "instruments": (found.instruments, INSTRUMENT_FIELDS, instrument_row),
        "forwards": (found.forwards, FORWARD_FIELDS, forward_row),
    }


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


def _text(found: str | None, number: int) -> str:
    if found is None:
        raise HTTPException(404, f"epoch {number} is not served here")
    return found


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
        accounts=len(found.margins),
        instruments=[str(i.instrument) for i in found.instruments],
    )


def _account_answer(found: EpochStatement, account: int) -> LeafAnswer:
    try:
        leaf, proof = found.margin(account), found.account_proof(account)
        breakdown = None if found.tables is None else dict(found.explain(account).breakdown)
    except LookupError as error:
        raise HTTPException(404, str(error.args[0])) from None
    return LeafAnswer(
        epoch=found.epoch.number,
        root=hex_text(found.root),
        leaf=margin_fields(leaf),
        proof=[hex_text(p) for p in proof],
        breakdown=breakdown,
    )


def _instrument_answer(found: EpochStatement, instrument: int) -> LeafAnswer:
    try:
        leaf, proof = found.instrument(instrument), found.instrument_proof(instrument)
    except LookupError as error:
        raise HTTPException(404, str(error.args[0])) from None
    return LeafAnswer(
        epoch=found.epoch.number,
        root=hex_text(found.root),
        leaf=dict(zip(INSTRUMENT_FIELDS, plain(leaf.values()), strict=True)),
        proof=[hex_text(p) for p in proof],
    )
