"""The tables of the first release, before there were migrations."""

from alembic import op
from sqlalchemy import BigInteger, Column, Float, Integer, String, Text, UniqueConstraint

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From an empty database."""
    op.create_table(
        "account_change",
        Column("block_number", BigInteger, primary_key=True, autoincrement=False),
        Column("log_index", Integer, primary_key=True, autoincrement=False),
        Column("account", BigInteger, primary_key=True, autoincrement=False),
        Column("kind", Integer, nullable=False),
        Column("instrument", String(40), nullable=False),
        Column("quantity", Text, nullable=False),
        Column("price", Text, nullable=False),
        Column("book_hash", String(66), nullable=False),
    )
    op.create_index("account_change_by_account", "account_change", ["account", "block_number"])
    op.create_table(
        "account_version",
        Column("account", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_to", BigInteger),
        Column("owner", String(42), nullable=False),
        Column("cash", Text, nullable=False),
        Column("added_im", Text, nullable=False),
        Column("added_mark", Text, nullable=False),
        Column("book_hash", String(66), nullable=False),
        Column("frozen", String(1), nullable=False),
        Column("tier", Text, nullable=False),
        Column("underlying", Text, nullable=False),
        Column("expiry", Text, nullable=False),
    )
    op.create_table(
        "acknowledgement",
        Column("id", String(12), primary_key=True),
        Column("person", String(128), nullable=False),
        Column("note", Text, nullable=False),
        Column("at", BigInteger, nullable=False),
    )
    op.create_table(
        "anomaly",
        Column("id", String(12), primary_key=True),
        Column("kind", String(32), nullable=False),
        Column("subject", String(128), nullable=False),
        Column("time", BigInteger, nullable=False),
        Column("score", Float, nullable=False),
        Column("threshold", Float, nullable=False),
        Column("explanation", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("widen", Float, nullable=False),
    )
    op.create_index("anomaly_by_time", "anomaly", ["time"])
    op.create_table(
        "attempt",
        Column("hash", String(66), primary_key=True),
        Column("intent", String(80), nullable=False),
        Column("nonce", BigInteger, nullable=False),
        Column("raw", Text, nullable=False),
        Column("max_fee", Text, nullable=False),
        Column("tip", Text, nullable=False),
        Column("head", BigInteger, nullable=False),
        Column("broadcast", Integer, nullable=False),
    )
    op.create_table(
        "auction_bid",
        Column("block_number", BigInteger, primary_key=True, autoincrement=False),
        Column("log_index", Integer, primary_key=True, autoincrement=False),
        Column("account", BigInteger, nullable=False),
        Column("bidder", BigInteger, nullable=False),
        Column("solvent", String(1), nullable=False),
        Column("fraction", Text, nullable=False),
        Column("discounted", Text, nullable=False),
        Column("price", Text, nullable=False),
        Column("payout", Text, nullable=False),
    )
    op.create_table(
        "auction_version",
        Column("account", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_to", BigInteger),
        Column("state", String(16), nullable=False),
        Column("epoch", Text, nullable=False),
        Column("solvent", String(1), nullable=False),
        Column("equity", Text, nullable=False),
        Column("initial_margin", Text, nullable=False),
        Column("maintenance_margin", Text, nullable=False),
    )
    op.create_table(
        "block",
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("hash", String(66), nullable=False),
        Column("parent", String(66), nullable=False),
        Column("timestamp", BigInteger, nullable=False),
    )
    op.create_table(
        "collateral_version",
        Column("account", BigInteger, primary_key=True, autoincrement=False),
        Column("token_index", Integer, primary_key=True, autoincrement=False),
        Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_to", BigInteger),
        Column("balance", Text, nullable=False),
    )
    op.create_table(
        "conversion_version",
        Column("account", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_to", BigInteger),
        Column("state", String(16), nullable=False),
        Column("settled", Text, nullable=False),
    )
    op.create_table(
        "event",
        Column("block_number", BigInteger, primary_key=True, autoincrement=False),
        Column("log_index", Integer, primary_key=True, autoincrement=False),
        Column("contract", String(32), nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("name", String(32), nullable=False),
        Column("transaction_hash", String(66), nullable=False),
        Column("payload", Text, nullable=False),
        UniqueConstraint("contract", "seq"),
    )
    op.create_index("event_by_name", "event", ["contract", "name", "block_number"])
    op.create_table(
        "insurance_flow",
        Column("block_number", BigInteger, primary_key=True, autoincrement=False),
        Column("log_index", Integer, primary_key=True, autoincrement=False),
        Column("kind", String(16), nullable=False),
        Column("holder", String(42), nullable=False),
        Column("assets", Text, nullable=False),
        Column("shares", Text, nullable=False),
    )
    op.create_table(
        "intent",
        Column("id", String(80), primary_key=True),
        Column("kind", String(16), nullable=False),
        Column("target", String(42), nullable=False),
        Column("calldata", Text, nullable=False),
        Column("state", String(16), nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("nonce", BigInteger),
        Column("error", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("block_number", BigInteger),
        Column("gas_used", BigInteger),
    )
    op.create_table(
        "listing_version",
        Column("token_index", Integer, primary_key=True, autoincrement=False),
        Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_to", BigInteger),
        Column("token", String(42), nullable=False),
        Column("decimals", Text, nullable=False),
        Column("underlying", Text, nullable=False),
        Column("initial_haircut", Text, nullable=False),
        Column("maintenance_haircut", Text, nullable=False),
        Column("cap", Text, nullable=False),
        Column("since", Text, nullable=False),
        Column("until", Text, nullable=False),
    )
    op.create_table(
        "position_version",
        Column("account", BigInteger, primary_key=True, autoincrement=False),
        Column("instrument", String(40), primary_key=True),
        Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
        Column("valid_to", BigInteger),
        Column("quantity", Text, nullable=False),
    )
    op.create_table(
        "signed_epoch",
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("digest", String(66), nullable=False),
        Column("signed_at", BigInteger, nullable=False),
    )
    op.create_table(
        "signed_report",
        Column("digest", String(66), primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("action", String(66), nullable=False),
    )
    op.create_table(
        "snapshot",
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("root", String(66), nullable=False),
        Column("content", Text, nullable=False),
    )
