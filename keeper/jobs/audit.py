"""Recomputes a past epoch from what was kept of it, and holds every bit against what the chain has: roots,
hash, posting and signatures. Sends and changes nothing."""

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode

from keeper.attestation.epoch import EpochStatement, posted_spots
from keeper.attestation.snapshot import Snapshot
from keeper.attestation.typed_data import digest, recover
from keeper.attestation.typed_data import leaf as leaf_of
from keeper.chain import abi_codec
from keeper.chain.contracts import ORACLE, Protocol
from keeper.chain.index_reader import IndexReader
from keeper.chain.node import NodeError
from keeper.chain.quorum import Quorums
from keeper.jobs.statements import Statements
from keeper.network.schemas import hex_text
from keeper.risk.methodology import Methodology
from keeper.store.index_store import BlockRow, EventRow


class AuditError(RuntimeError):
    """There is nothing to audit: the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was compared. `ok` None: it could not be, and why."""

    name: str
    ok: bool | None
    text: str


@dataclass
class EpochAudit:
    """Audits of epochs out of one database and one node."""

    protocol: Protocol
    index: IndexReader
    statements: Statements
    methodology: Methodology

    def epoch(self, number: int) -> list[Line]:
        """Everything that is compared, in order; it ends with the first thing without which nothing follows.

        Raises:
            AuditError: the epoch is not on the chain as indexed, or nothing of it was kept here.
        """
        event, block = self._posted(number)
        inputs = self.statements.inputs_text(number)
        if inputs is None:
            raise AuditError(f"epoch {number}: no snapshot of it is kept in this database")
        text = f"block {block.number}, transaction {event.transaction_hash}"
        lines = [Line("posted", True, text), self._methodology(Snapshot.from_json(inputs))]
        if not lines[-1].ok:
            return lines
        pair = self.statements.pair(number)
        if pair is None:
            why = "with the accounts that the index has at its block the root is not the one that was kept"
            return [*lines, Line("inputs", False, why)]
        snapshot, statement = pair
        accounts = f"{len(snapshot.accounts)} accounts and the market of block {snapshot.block_number}"
        lines += [Line("inputs", True, accounts), *_roots(statement, event)]
        return lines + self._posting(statement, event, block) + [self._stored(statement, block)]

    def _posted(self, number: int) -> tuple[EventRow, BlockRow]:
        head = self.index.head()
        if head is None:
            raise AuditError("nothing is indexed in this database yet: run a keeper on it")
        for event in reversed(self.index.events(ORACLE, "EpochPosted", head.number)):
            if event.payload["number"] == number:
                block = self.index.block(event.block_number)
                assert block is not None  # the event is of an indexed block
                return event, block
        raise AuditError(f"epoch {number} was never posted, as far as block {head.number}")

    def _methodology(self, snapshot: Snapshot) -> Line:
        theirs, ours = snapshot.methodology_hash, self.methodology.hash()
        if theirs == ours:
            return Line("methodology", True, hex_text(ours))
        why = (
            f"{hex_text(theirs)} then, {hex_text(ours)} here: name the one it was made with by `methodology`"
        )
        return Line("methodology", False, why)

    def _posting(self, statement: EpochStatement, event: EventRow, block: BlockRow) -> list[Line]:
        """What the transaction carried: the same epoch, and signatures of enough members."""
        try:
            sent = self.protocol.node.request("eth_getTransactionByHash", event.transaction_hash)
        except NodeError as error:
            return [Line("posting", None, str(error))]
        if sent is None:
            return [Line("posting", None, f"the node does not have transaction {event.transaction_hash}")]
        function = abi_codec.load(ORACLE).functions["post_epoch"]
        data = bytes.fromhex(sent["input"][2:])
        if data[:4] != function.selector:
            return [Line("posting", None, "posted through another contract")]
        posting, spots, (bitmap, compact) = decode(function.inputs, data[4:])
        lines = [
            same("posting", [shown(v) for v in statement.epoch.posting()], [shown(v) for v in posting]),
            same("spots", list(posted_spots(statement.spots)), list(spots)),
        ]
        return [*lines, self._signatures(statement, bitmap, compact, block)]

    def _signatures(self, statement: EpochStatement, bitmap: int, compact: Any, block: BlockRow) -> Line:
        """Recovered one by one: each of a member, and at least as many as the quorum asks for."""
        parent = self.index.block(block.number - 1)
        try:
            quorum = Quorums(self.protocol).at(parent.hash if parent is not None else block.hash)
        except NodeError as error:
            return Line("signatures", None, f"the set then in force cannot be read: {error}")
        named = [signer for i, signer in enumerate(quorum.signers) if bitmap >> i & 1]
        message = digest(quorum.domain, statement.epoch.struct_hash())
        try:
            recovered = [recover(message, r, vs) for r, vs in compact]
        except ValueError as error:
            return Line("signatures", False, str(error))
        if recovered != named:
            strange = [r for r in recovered if r not in named] or recovered
            return Line("signatures", False, f"{', '.join(strange)} signed something else, or is no member")
        text = f"{len(recovered)} of {len(quorum.signers)}, {quorum.threshold} needed: {', '.join(recovered)}"
        return Line("signatures", len(recovered) >= quorum.threshold, text)

    def _stored(self, statement: EpochStatement, block: BlockRow) -> Line:
        """The oracle itself, asked for a leaf of ours at the block of the posting."""
        if not len(statement.margins):
            return Line("oracle", None, "no accounts: no leaf to ask for")
        account = statement.margins[0].account
        found = leaf_of(statement.margin(account).struct_hash())
        arguments = (statement.epoch.number, found, statement.account_proof(account))
        try:
            self.protocol.read(block.hash, ORACLE, "require_in_epoch", *arguments)
        except NodeError as error:
            is_refusal = "oracle" in str(error) and "proof" in str(error).lower()
            return Line("oracle", False if is_refusal else None, str(error))
        return Line("oracle", True, f"accepts the leaf of account {account} with our proof")


def _roots(statement: EpochStatement, event: EventRow) -> list[Line]:
    epoch = statement.epoch
    ours = {
        "snapshotHash": epoch.snapshot_hash,
        "marketRoot": epoch.market_root,
        "marginRoot": epoch.margin_root,
    }
    names = {"snapshotHash": "snapshot hash", "marketRoot": "market root", "marginRoot": "margin root"}
    return [same(names[key], hex_text(value), event.payload[key]) for key, value in ours.items()]


def same(name: str, ours: Any, theirs: Any) -> Line:
    """Equal, or the first difference."""
    if ours == theirs:
        is_list = isinstance(ours, list)
        return Line(name, True, f"{len(ours)} fields, the same" if is_list else str(ours))
    if isinstance(ours, list) and len(ours) == len(theirs):
        place = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        return Line(name, False, f"field {place}: {ours[place]} here, {theirs[place]} on the chain")
    return Line(name, False, f"{ours} here, {theirs} on the chain")


def shown(value: Any) -> str:
    return hex_text(value) if isinstance(value, bytes) else str(value)


def first_difference(lines: list[Line]) -> Line | None:
    """The first thing that does not agree; None if everything that could be compared does."""
    return next((line for line in lines if line.ok is False), None)
