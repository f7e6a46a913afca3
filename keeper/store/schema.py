"""Tables. Integers above 63 bits are decimal text, hashes and addresses are text; versions carry the blocks
they hold in.

A row of `account_version` or `position_version` is valid in blocks valid_from <= b < valid_to (NULL: until
now), so a reorg
is undone mechanically: rows that begin above the common ancestor go, rows that ended above it open again.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

block = Table(
    "block",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(66), nullable=False),
    Column("parent", String(66), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("contract", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("name", String(32), nullable=False),
    Column("transaction_hash", String(66), nullable=False),
    Column("payload", Text, nullable=False),
    UniqueConstraint("contract", "seq"),
)
Index("event_by_name", event.c.contract, event.c.name, event.c.block_number)

account_version = Table(
    "account_version",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_to", BigInteger),
    Column("owner", String(42), nullable=False),
    Column("cash", Text, nullable=False),
    Column("added_im", Text, nullable=False),
    Column("added_mark", Text, nullable=False),
    Column("book_hash", String(66), nullable=False),
)

position_version = Table(
    "position_version",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("instrument", String(40), primary_key=True),
    Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_to", BigInteger),
    Column("quantity", Text, nullable=False),
)

# What this attester has signed. One row per epoch number, for ever: two digests under one number would be
# equivocation.
signed_epoch = Table(
    "signed_epoch",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(66), nullable=False),
    Column("signed_at", BigInteger, nullable=False),
)

signed_report = Table(
    "signed_report",
    metadata,
    Column("digest", String(66), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("action", String(66), nullable=False),
)

# Snapshots of the epochs served: statements are recomputed from them to the bit.
snapshot = Table(
    "snapshot",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("root", String(66), nullable=False),
    Column("content", Text, nullable=False),
)

intent = Table(
    "intent",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("target", String(42), nullable=False),
    Column("calldata", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("nonce", BigInteger),
    Column("error", Text, nullable=False, default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("block_number", BigInteger),
    Column("gas_used", BigInteger),
)

attempt = Table(
    "attempt",
    metadata,
    Column("hash", String(66), primary_key=True),
    Column("intent", String(80), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("raw", Text, nullable=False),
    Column("max_fee", Text, nullable=False),
    Column("tip", Text, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("broadcast", Integer, nullable=False, default=0),
)
