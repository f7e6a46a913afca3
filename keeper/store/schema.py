"""Tables. Integers above 63 bits are decimal text, hashes and addresses are text; versions carry the blocks
they hold in.

A row of a `*_version` table is valid in blocks valid_from <= b < valid_to (NULL: until now), so a reorg is
undone mechanically: rows that begin above the common ancestor go, rows that ended above it open again. Rows
of the other tables of the chain carry the block that they are of, and go with it.

Whatever changes here changes in a new file of `migrations/revisions` too: a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

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
    Column("frozen", String(1), nullable=False),
    Column("tier", Text, nullable=False),
    Column("underlying", Text, nullable=False),
    Column("expiry", Text, nullable=False),
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

# Terms of collateral tokens, by index; addresses in lower case.
listing_version = Table(
    "listing_version",
    metadata,
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

collateral_version = Table(
    "collateral_version",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("token_index", Integer, primary_key=True, autoincrement=False),
    Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_to", BigInteger),
    Column("balance", Text, nullable=False),
)

# Every link of every book hash, in order: what lies between an attested book and now.
account_change = Table(
    "account_change",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Integer, nullable=False),
    Column("instrument", String(40), nullable=False),
    Column("quantity", Text, nullable=False),
    Column("price", Text, nullable=False),
    Column("book_hash", String(66), nullable=False),
)
Index("account_change_by_account", account_change.c.account, account_change.c.block_number)

# One auction per account at a time; `state` is open or how it ended.
auction_version = Table(
    "auction_version",
    metadata,
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

# Sales of collateral for cash; `settled` is what the settled cash was at most when it started.
conversion_version = Table(
    "conversion_version",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_from", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_to", BigInteger),
    Column("state", String(16), nullable=False),
    Column("settled", Text, nullable=False),
)

auction_bid = Table(
    "auction_bid",
    metadata,
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

# What the insurance fund took in and gave out; amounts in the token's decimals, shares in the vault's.
insurance_flow = Table(
    "insurance_flow",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("holder", String(42), nullable=False),
    Column("assets", Text, nullable=False),
    Column("shares", Text, nullable=False),
)

# What the attesters over this database have signed. One row per signer and number, for ever: two digests
# under one number would be equivocation. The empty signer, of the first release, stands for every one.
signed_epoch = Table(
    "signed_epoch",
    metadata,
    Column("signer", String(42), nullable=False),
    Column("number", BigInteger, nullable=False, autoincrement=False),
    Column("digest", String(66), nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("signer", "number", name="signed_epoch_by_signer"),
)

signed_report = Table(
    "signed_report",
    metadata,
    Column("signer", String(42), nullable=False),
    Column("digest", String(66), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("action", String(66), nullable=False),
    PrimaryKeyConstraint("signer", "digest", name="signed_report_by_signer"),
)

# Snapshots of the epochs served: statements are recomputed from them to the bit.
snapshot = Table(
    "snapshot",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("root", String(66), nullable=False),
    Column("content", Text, nullable=False),
)

# Something to be done on chain at most once. `lane` is oracle, liquidate or housekeeping; the
# intent of higher priority goes first; `deadline` and `cooldown_until` are unix seconds, `value_at_risk` WAD,
# `epoch` that of the sender's lease under which the row was last written.
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
    Column("sender", String(42), nullable=False, server_default=""),
    Column("lane", String(16), nullable=False, server_default="oracle"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("deadline", BigInteger),
    Column("value_at_risk", Text, nullable=False, server_default="0"),
    Column("cooldown_until", BigInteger, nullable=False, server_default="0"),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
)
Index("intent_by_state", intent.c.state, intent.c.sender)

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
    Column("sender", String(42), nullable=False, server_default=""),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
)
Index("attempt_by_intent", attempt.c.intent)

# Wei spent by a sender in a lane on one day (unix seconds // 86 400), and by how many transactions.
gas_ledger = Table(
    "gas_ledger",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", String(42), primary_key=True),
    Column("lane", String(16), primary_key=True),
    Column("spent", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
)

# Who may do what only one may do; `epoch` grows at each change of the holder, `expires_at` in milliseconds.
lease = Table(
    "lease",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("holder", String(160), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# Margin calls: one row an account, level and subscriber, updated in place; raised or cleared. Written before
# it is sent: `sent_at` is NULL until then. `crossed_at` is when the health passed the level, unix seconds.
notice = Table(
    "notice",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("level", String(16), primary_key=True),
    Column("subscriber", String(64), primary_key=True),
    Column("state", String(8), nullable=False),
    Column("health", Float, nullable=False),
    Column("crossed_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
)

# Authenticated proposals, as received: two digests of one proposer under one number are evidence.
proposal = Table(
    "proposal",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("proposer", String(42), primary_key=True),
    Column("digest", String(66), primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("authorization", Text, nullable=False),
    Column("body", Text, nullable=False),
)

# Who signed what nobody may sign. Never deleted.
evidence = Table(
    "evidence",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("accused", String(42), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
    Column("found_at", BigInteger, nullable=False),
)

# What looked wrong to this keeper; `id` follows from kind, subject and time: the same finding is kept once.
anomaly = Table(
    "anomaly",
    metadata,
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
Index("anomaly_by_time", anomaly.c.time)

# A person has looked at a finding: it is silent from then on, no other is. Never deleted.
acknowledgement = Table(
    "acknowledgement",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("person", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# The versioned tables, which a reorg undoes and which are read at the head.
VERSIONED = (
    account_version,
    position_version,
    listing_version,
    collateral_version,
    auction_version,
    conversion_version,
)
# Tables whose rows belong to one block, and go with it.
OF_A_BLOCK = (block, event, account_change, auction_bid, insurance_flow)

for _table in VERSIONED:
    _open = text("valid_to IS NULL")
    Index(f"{_table.name}_from", _table.c.valid_from)
    Index(
        f"{_table.name}_open",
        next(iter(_table.primary_key)),
        sqlite_where=_open,
        postgresql_where=_open,
    )
