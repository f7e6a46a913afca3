"""Leases, lanes of transactions, gas ledger, notices, proposals, evidence; signatures by signer."""

from alembic import op
from sqlalchemy import BigInteger, Column, Float, Integer, PrimaryKeyConstraint, String, Text, text

revision = "0002"
down_revision = "0001"

_VERSIONS = {
    "account_version": ["account"],
    "position_version": ["account"],
    "listing_version": ["token_index"],
    "collateral_version": ["account"],
    "auction_version": ["account"],
    "conversion_version": ["account"],
}


def upgrade() -> None:
    """Nothing is lost. What was signed before counts for every signer (the empty one)."""
    _signers()
    _transactions()
    _coordination()
    for table, key in _VERSIONS.items():
        still_open = text("valid_to IS NULL")
        op.create_index(f"{table}_from", table, ["valid_from"])
        op.create_index(f"{table}_open", table, key, sqlite_where=still_open, postgresql_where=still_open)


def _signers() -> None:
    op.create_table(
        "signed_epoch_new",
        Column("signer", String(42), nullable=False),
        Column("number", BigInteger, nullable=False, autoincrement=False),
        Column("digest", String(66), nullable=False),
        Column("signed_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("signer", "number", name="signed_epoch_by_signer"),
    )
    op.execute("INSERT INTO signed_epoch_new SELECT '', number, digest, signed_at FROM signed_epoch")
    op.drop_table("signed_epoch")
    op.rename_table("signed_epoch_new", "signed_epoch")
    op.create_table(
        "signed_report_new",
        Column("signer", String(42), nullable=False),
        Column("digest", String(66), nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("action", String(66), nullable=False),
        PrimaryKeyConstraint("signer", "digest", name="signed_report_by_signer"),
    )
    op.execute("INSERT INTO signed_report_new SELECT '', digest, epoch, action FROM signed_report")
    op.drop_table("signed_report")
    op.rename_table("signed_report_new", "signed_report")


def _transactions() -> None:
    for column in (
        Column("sender", String(42), nullable=False, server_default=""),
        Column("lane", String(16), nullable=False, server_default="oracle"),
        Column("priority", Integer, nullable=False, server_default="0"),
        Column("deadline", BigInteger),
        Column("value_at_risk", Text, nullable=False, server_default="0"),
        Column("cooldown_until", BigInteger, nullable=False, server_default="0"),
        Column("epoch", BigInteger, nullable=False, server_default="0"),
    ):
        op.add_column("intent", column)
    op.create_index("intent_by_state", "intent", ["state", "sender"])
    op.add_column("attempt", Column("sender", String(42), nullable=False, server_default=""))
    op.add_column("attempt", Column("epoch", BigInteger, nullable=False, server_default="0"))
    op.create_index("attempt_by_intent", "attempt", ["intent"])
    op.create_table(
        "gas_ledger",
        Column("day", BigInteger, primary_key=True, autoincrement=False),
        Column("sender", String(42), primary_key=True),
        Column("lane", String(16), primary_key=True),
        Column("spent", Text, nullable=False),
        Column("count", BigInteger, nullable=False),
    )


def _coordination() -> None:
    op.create_table(
        "lease",
        Column("name", String(80), primary_key=True),
        Column("holder", String(160), nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
    )
    op.create_table(
        "notice",
        Column("account", BigInteger, primary_key=True, autoincrement=False),
        Column("level", String(16), primary_key=True),
        Column("subscriber", String(64), primary_key=True),
        Column("state", String(8), nullable=False),
        Column("health", Float, nullable=False),
        Column("crossed_at", BigInteger, nullable=False),
        Column("sent_at", BigInteger),
    )
    op.create_table(
        "proposal",
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("proposer", String(42), primary_key=True),
        Column("digest", String(66), primary_key=True),
        Column("received_at", BigInteger, nullable=False),
        Column("authorization", Text, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "evidence",
        Column("kind", String(32), primary_key=True),
        Column("accused", String(42), primary_key=True),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("content", Text, nullable=False),
        Column("found_at", BigInteger, nullable=False),
    )
