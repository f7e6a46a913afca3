"""What `plimsoll anomalies` looks through: files, a keeper's database, a running keeper."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keeper.analysis.anomalies import Finding
    from keeper.analysis.anomaly_epochs import EpochRecord
    from keeper.store.anomaly_store import Acknowledgement


@dataclass
class Scanned:
    """What was looked through, and what was found."""

    scope: dict[str, int] = field(default_factory=dict)
    findings: "list[Finding]" = field(default_factory=list)
    acknowledged: "dict[str, Acknowledgement]" = field(default_factory=dict)


def scan_price_files(paths: Sequence[Path], scanned: Scanned) -> None:
    """Every series by itself, and the venues of one coin against each other."""
    from keeper.analysis.anomaly_series import scan_series, scan_venues
    from keeper.sources.price_files import read_prices

    for path in paths:
        series = read_prices(path)
        scanned.scope[str(path)] = sum(len(s) for s in series.values())
        for each in series.values():
            scanned.findings += scan_series(each)
        for coin in sorted({name.rpartition("/")[2] for name in series}):
            venues = {name: s for name, s in series.items() if name.rpartition("/")[2] == coin}
            scanned.findings += scan_venues(venues)


def scan_chain_files(paths: Sequence[Path], scanned: Scanned) -> None:
    """Jumps of the smiles between the chains of all files together."""
    from keeper.analysis.anomaly_chains import smiles_of
    from keeper.analysis.anomaly_surface import scan_smiles
    from keeper.sources.chains import read_quotes, snapshots

    chains = []
    for path in paths:
        found = snapshots(read_quotes(path))
        scanned.scope[str(path)] = len(found)
        chains += found
    for _, histories in sorted(smiles_of(sorted(chains, key=lambda c: c.timestamp)).items()):
        scanned.findings += scan_smiles(histories)


def scan_database(url: str, methodology: Path | None, epochs: int, scanned: Scanned) -> None:
    """What the keeper itself found, and its last epochs; acknowledgements are those of this database."""
    from keeper.analysis.anomalies import Finding
    from keeper.analysis.anomaly_epochs import scan_epochs
    from keeper.store import anomaly_store
    from keeper.store.database import Database

    database = Database(url)
    try:
        with database.begin() as connection:
            contents = anomaly_store.latest_snapshots(connection, epochs)
            kept = anomaly_store.kept_findings(connection)
            scanned.acknowledged |= anomaly_store.acknowledgements(connection)
        scanned.scope[url] = len(contents)
        scanned.findings += [Finding(**{k: v for k, v in row.items() if k != "id"}) for row in kept]
        scanned.findings += scan_epochs(_kept_records(database, [n for n, _ in contents], methodology))
    finally:
        database.close()


def _kept_records(database: Any, numbers: Sequence[int], path: Path | None) -> "list[EpochRecord]":
    """Epochs with their margins computed anew; those that other parameters made are left out."""
    from keeper.analysis.anomaly_epochs import EpochRecord
    from keeper.chain.index_reader import IndexReader
    from keeper.jobs.books import Books
    from keeper.jobs.statements import Statements
    from keeper.risk.methodology import Methodology

    methodology = Methodology.load(path) if path else Methodology.default()
    statements = Statements(database, methodology, Books(IndexReader(database)))
    records = []
    for snapshot, statement in filter(None, (statements.pair(number) for number in numbers)):
        margins = {m.account: m.maintenance_margin for m in statement.margins}
        records.append(EpochRecord(snapshot, margins))
    return records


def scan_keeper(url: str, epochs: int, scanned: Scanned) -> None:
    """The last epochs that a running keeper serves. Raises RuntimeError when none answers."""
    import httpx

    from keeper.analysis.anomaly_epochs import EpochRecord, scan_epochs
    from keeper.attestation.snapshot import Snapshot
    from keeper.network.client import get_json, get_text
    from keeper.network.leaf_reader import LeafReader

    base, records = url.rstrip("/"), []
    try:
        last = int(get_json(f"{base}/v1/epochs/latest")["number"])
        for number in range(max(last - epochs, 0) + 1, last + 1):
            try:
                content = get_text(f"{base}/v1/epochs/{number}/snapshot")
            except httpx.HTTPStatusError:
                continue  # a number that was never posted
            root = bytes.fromhex(get_json(f"{base}/v1/epochs/{number}")["epoch"]["marginRoot"][2:])
            leaves = LeafReader((base,), path="/v1/epochs").leaves(number, "margins", root)
            margins = {leaf.account: leaf.maintenance_margin for leaf in leaves}
            records.append(EpochRecord(Snapshot.from_json(content), margins))
    except (httpx.HTTPError, httpx.InvalidURL, LookupError, TypeError, ValueError) as error:
        raise RuntimeError(
            f"anomalies: no keeper with epochs answers at {url} ({type(error).__name__})"
        ) from None
    scanned.scope[url] = len(records)
    scanned.findings += scan_epochs(records)
