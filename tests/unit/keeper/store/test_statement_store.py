"""One digest per epoch number, for ever."""

from keeper.store import statement_store
from keeper.store.database import Database
from keeper.store.statement_store import SnapshotRow


def test_claim_epoch__same_number_other_digest__refused_even_after_a_restart(url: str) -> None:
    assert statement_store.claim_epoch(Database(url), "0xA1", 5, "0xaa", 1)
    reopened = Database(url)
    assert statement_store.claim_epoch(reopened, "0xa1", 5, "0xaa", 2)
    assert not statement_store.claim_epoch(reopened, "0xa1", 5, "0xbb", 3)
    assert statement_store.claim_epoch(reopened, "0xa1", 6, "0xbb", 3)


def test_highest_number__kept_and_signed__the_higher(database: Database) -> None:
    with database.begin() as connection:
        assert statement_store.highest_number(connection) == 0
        statement_store.keep_snapshot(connection, 3, "0x", "{}")
        statement_store.keep_snapshot(connection, 3, "0x", "{}")
    statement_store.claim_epoch(database, "0xa1", 8, "0xaa", 1)
    with database.begin() as connection:
        assert statement_store.highest_number(connection) == 8
        assert statement_store.kept_snapshot(connection, 3) == SnapshotRow("0x", "{}")
