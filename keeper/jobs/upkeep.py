"""Upkeep: funding rates follow their premiums, and what accounts owe bears interest. Anyone may do the
same."""

from keeper.attestation.epoch import EpochStatement
from keeper.chain.contracts import COLLATERAL_SALE, FUNDING
from keeper.chain.liquidation import LiquidationReader
from keeper.chain.transactions import Sender
from keeper.chain.upkeep import UpkeepReader
from keeper.jobs.decide_upkeep import Owed, debtors, decide_funding, decide_notes, perps_held
from keeper.jobs.desk import Desk
from keeper.jobs.dispatch import submit_once
from keeper.jobs.observe import ChainView
from keeper.markets.instrument import Instrument, Kind
from keeper.store.transaction_store import State


class Upkeep:
    """One tick: at most one transaction per perp and per debtor and epoch."""

    def __init__(self, desk: Desk, sender: Sender) -> None:
        self._desk = desk
        self._sender = sender
        self._reader = UpkeepReader(desk.protocol)
        self._books = LiquidationReader(desk.protocol)
        self._done = 0  # epoch whose decisions are made
        self.funded = 0
        self.noted = 0
        self.last_error = ""

    def tick(self, view: ChainView) -> int:
        """Submit what is due in this view; returns the number of transactions that passed simulation."""
        number = view.header.number
        if number in (0, self._done):
            return 0
        statement = self._desk.statements.latest()
        if statement is None or statement.epoch.number != number:
            self.last_error = f"epoch {number} is not known here"
            return 0
        self.last_error = ""
        sent = self._fund(view, statement) + self._note(view)
        self._done = number
        return sent

    def status(self) -> dict[str, object]:
        """What the operator sees."""
        return {"funded": self.funded, "noted": self.noted, "last_error": self.last_error}

    def _fund(self, view: ChainView, statement: EpochStatement) -> int:
        epochs = self._reader.funding_epochs(view.block.hash, perps_held(view.accounts))
        updated = {u: (number, self._time_of(number)) for u, number in epochs.items()}
        due = decide_funding(statement.epoch.timestamp, statement.epoch.number, updated)
        return sum(self._update(view, statement, underlying) for underlying in due)

    def _time_of(self, epoch: int) -> int:
        """Zero where the epoch was before this keeper's time."""
        found = self._desk.statements.get(epoch)
        return found.epoch.timestamp if found else 0

    def _update(self, view: ChainView, statement: EpochStatement, underlying: int) -> int:
        perp = Instrument(underlying, 0, 0, Kind.PERP).pack()
        leaf, path = statement.instrument(perp), statement.instrument_proof(perp)
        number = statement.epoch.number
        calldata = self._desk.protocol.calldata(FUNDING, "update", underlying, leaf.values(), path, number)
        sent = self._submit(f"funding:{underlying}:{number}", "funding", FUNDING, calldata, view)
        self.funded += sent
        return sent

    def _note(self, view: ChainView) -> int:
        rows = {row.account: row for row in debtors(view)}
        if not rows:
            return 0
        at, sent = view.block.hash, 0
        liquid = self._books.liquid(at, list(rows))
        values = self._books.valuations(at, [row.positions for row in rows.values()])
        debts = self._reader.debts(at, list(rows))
        owed = {n: Owed(liquid[n], value, debts[n]) for n, value in zip(rows, values, strict=True)}
        for number in decide_notes(view.block.timestamp, owed, self._books.terms(at).buffer):
            book = [instrument for instrument, _ in rows[number].positions]
            calldata = self._desk.protocol.calldata(COLLATERAL_SALE, "note_debt", number, book)
            id = f"debt:{number}:{view.header.number}"
            worth = max(-owed[number].liquid, owed[number].debt.noted)
            sent += self._submit(id, "note debt", COLLATERAL_SALE, calldata, view, worth)
        self.noted += sent
        return sent

    def _submit(
        self, id: str, kind: str, contract: str, calldata: str, view: ChainView, worth: int = 0
    ) -> int:
        target, now = self._desk.protocol.deployment.addresses[contract], view.block.timestamp
        intent = submit_once(self._sender, "upkeep", id, kind, target, calldata, now, worth)
        if intent is not None and intent.error:
            self.last_error = f"{id}: {intent.error}"
        return int(intent is not None and intent.state != State.DROPPED)
