"""Findings and acknowledgements persist."""

import pytest

from keeper.analysis.anomalies import Finding
from keeper.store.anomaly_store import (
    Acknowledgement,
    acknowledge,
    acknowledgements,
    keep_finding,
    kept_findings,
    latest_snapshots,
)
from keeper.store.database import Database
from keeper.store.statement_store import keep_snapshot

FIRST = Finding("return", "ETH", 100, 15.0, 12.0, "up", "widen by 1.1 and alert", 1.1)
SECOND = Finding("return", "ETH", 200, 16.0, 12.0, "down")


def test_keep_finding__twice__once_and_through_a_restart(url: str) -> None:
    database = Database(url)
    with database.begin() as connection:
        assert keep_finding(connection, FIRST.fields()) and not keep_finding(connection, FIRST.fields())
        keep_finding(connection, SECOND.fields())
    database.close()
    with Database(url).begin() as connection:
        assert kept_findings(connection) == [FIRST.fields(), SECOND.fields()]
        assert kept_findings(connection, since=101) == [SECOND.fields()]


def test_acknowledge__one__who_when_why_through_a_restart(url: str) -> None:
    said = Acknowledgement(FIRST.id, "Ada", "exchange maintenance", 1_000)
    database = Database(url)
    with database.begin() as connection:
        acknowledge(connection, said)
    database.close()
    with Database(url).begin() as connection:
        assert acknowledgements(connection) == {FIRST.id: said}
        assert acknowledgements(connection, [SECOND.id]) == {}


@pytest.mark.parametrize(
    ("finding", "person", "note", "reason"),
    [
        ("xyz", "Ada", "seen", "'xyz' is no id"),
        ("0123456789AB", "Ada", "seen", "is no id"),
        (SECOND.id, " ", "seen", "say who acknowledges"),
        (SECOND.id, "Ada", "", "say who acknowledges"),
        (FIRST.id, "Bob", "me too", "was acknowledged by Ada already"),
    ],
)
def test_acknowledge__faulty__refused(url: str, finding: str, person: str, note: str, reason: str) -> None:
    with Database(url).begin() as connection:
        acknowledge(connection, Acknowledgement(FIRST.id, "Ada", "seen", 1))
        with pytest.raises(ValueError, match=reason):
            acknowledge(connection, Acknowledgement(finding, person, note, 2))


def test_latest_snapshots__more_than_asked__last_ones_ascending(url: str) -> None:
    with Database(url).begin() as connection:
        for number in (3, 1, 2):
            keep_snapshot(connection, number, "0x", f"{{{number}}}")
        assert latest_snapshots(connection, 2) == [(2, "{2}"), (3, "{3}")]
