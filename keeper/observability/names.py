"""Every metric there is: one table, which the alert rules and the dashboard are checked against.

Names are those that operators of other keepers and oracles know (Lido's oracle, Chainlink's transaction
manager and multi-node pool, Pyth's price pusher), with our prefix. A counter's name ends in `_total`; times
are unix seconds, durations seconds, balances and gas whole coins, money USD.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a name means, which labels it takes, and the upper bounds of a histogram's buckets."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_BLOCKS = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 50.0, 100.0)

TABLE: list[Metric] = []


def _add(
    kind: Kind, name: str, help: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = ()
) -> str:
    TABLE.append(Metric(f"plimsoll_{name}", kind, help, labels, buckets))
    return TABLE[-1].name


def _counter(name: str, help: str, *labels: str) -> str:
    return _add("counter", f"{name}_total", help, labels)


def _gauge(name: str, help: str, *labels: str) -> str:
    return _add("gauge", name, help, labels)


def _histogram(name: str, help: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> str:
    return _add("histogram", name, help, labels, buckets)


# The process
BUILD = _gauge("build_info", "1; what runs here.", "version", "roles", "chain_id")
LIVE = _gauge("live", "1 while every loop has been heard of lately.")
READY = _gauge("ready", "1 while the process can do its duties.")
CYCLES = _counter("cycle_count", "Rounds of a duty.", "duty", "result")
LAST_CYCLE = _gauge("last_cycle_timestamp", "When a duty's last round ended.", "duty", "result")
DURATION = _histogram("functions_duration_seconds", "How long a duty's round took.", "name", "status")
LOOP_LAG = _gauge("loop_lag_seconds", "How late a loop's last round began.", "loop")
LOOP_SILENCE = _gauge("loop_silence_seconds", "Since a loop was last heard of.", "loop")
CLOCK_SKEW = _gauge("clock_skew_seconds", "This machine's clock less another's.", "against")
BALANCE = _gauge("account_balance", "Coins that pay for gas.", "address")
DISK_FREE = _gauge("disk_free_bytes", "Free where the database is.")
LEASE_EPOCH = _gauge("lease_epoch", "Fencing epoch of a lease that this process holds, 0 when not.", "lease")

# Nodes
NODE_STATES = _gauge("multi_node_states", "Endpoints in each state.", "state")
NODE_HIGHEST = _gauge("pool_rpc_node_highest_seen_block", "Highest block an endpoint has shown.", "node")
NODE_TRANSITIONS = _counter("pool_rpc_node_num_transitions", "Changes of an endpoint's state.", "node", "to")
RPC_REQUESTS = _counter("http_rpc_requests", "Requests to an endpoint.", "node", "result")
RPC_SECONDS = _histogram("http_rpc_response_seconds", "Until an endpoint answered.", "node")
RPC_DISAGREEMENTS = _counter("rpc_disagreements", "Reads on which endpoints did not agree.", "method")

# The index
BLOCK = _gauge("block_number", "Head of the chain, and the last block indexed.", "state")
INDEX_LAG = _gauge("index_lag_blocks", "Blocks between the head and the index.")
LOG_QUERY = _histogram("log_poller_query_duration_seconds", "Reading a range of logs.")
LOG_LATENCY = _histogram("logpoller_log_discovery_latency_seconds", "From a block's time to its logs.")
REORGS = _counter("reorgs", "Times that blocks were taken back.")
REORG_DEPTH = _gauge("reorg_depth_blocks", "Blocks taken back the last time.")
LOG_GAPS = _counter("log_gaps", "Times that a node left events out.", "result")
LOG_FAULTS = _counter("log_faults", "Times that an endpoint's logs were not the chain's.", "node")

# Transactions
TX_BROADCASTED = _counter("tx_manager_num_broadcasted", "Transactions sent.", "lane")
TX_BROADCAST_SECONDS = _histogram("tx_manager_time_until_tx_broadcast_seconds", "Intent to sent.", "lane")
TX_BUMPS = _counter("tx_manager_num_gas_bumps", "Replacements at higher fees.", "lane")
TX_BUMP_LIMITED = _counter("tx_manager_gas_bump_exceeds_limit", "Replacements beyond the cap.", "lane")
TX_CONFIRMED = _counter("tx_manager_num_confirmed_transactions", "Transactions mined.", "lane", "result")
TX_CONFIRM_SECONDS = _histogram("tx_manager_time_until_tx_confirmed_seconds", "Sent to mined.", "lane")
TX_CONFIRM_BLOCKS = _histogram(
    "tx_manager_blocks_until_tx_confirmed", "Blocks from sent to mined.", "lane", buckets=_BLOCKS
)
TX_ERRORS = _counter("tx_manager_attempt_error", "Attempts that failed.", "lane", "cause")
TX_PENDING = _gauge("tx_manager_unconfirmed_transactions", "Sent, not yet mined.", "lane")
TX_PENDING_BLOCKS = _gauge("tx_manager_oldest_unconfirmed_blocks", "Age of the oldest of them.", "lane")
GAS_SPENT = _gauge("gas_spent_today", "Coins spent on gas since midnight UTC.", "lane")
GAS_BUDGET = _gauge("gas_budget_today", "Coins that may be spent on gas a day.", "lane")

# Epochs
EPOCH = _gauge("epoch_number", "Latest epoch on the chain, as this process knows it.")
EPOCH_TIME = _gauge("epoch_last_published_time", "Chain time of the latest epoch.")
EPOCH_HEARTBEAT = _gauge("epoch_configured_time_difference_seconds", "Heartbeat of epochs.")
EPOCH_ATTEMPTS = _counter("epoch_update_attempts", "Epochs that were due.", "trigger", "status")
EPOCH_SECONDS = _histogram("epoch_build_seconds", "Computing an epoch.")
EPOCH_ACCOUNTS = _gauge("epoch_accounts", "Accounts in the latest epoch.")
SIGNATURES = _gauge("signatures", "Valid signatures of the last proposal.")
SIGNATURES_NEEDED = _gauge("signatures_threshold", "Signatures that the quorum needs.")
ATTESTER_ANSWERS = _counter("attester_answers", "Answers of attesters to proposals.", "attester", "result")
SIGNED = _counter("sent_observations", "What this attester has signed.", "kind")
REFUSED = _counter("refused_observations", "What this attester has refused to sign.", "kind")
REQUESTS = _counter("http_requests", "Requests to this process's API.", "path", "status")

# The engine
ENGINE_WORKERS = _gauge("engine_workers", "Workers that may compute margins; 0: this process alone.")
ENGINE_FALLBACKS = _counter(
    "engine_fallback", "Epochs computed here, in part or whole, because workers did not."
)

# Market data
SOURCE_TIME = _gauge("source_timestamp", "Time of what a source last said.", "source")
SOURCE_PRICE = _gauge("source_price", "Spot by all sources together, USD.", "underlying")
TARGET_PRICE = _gauge("target_price", "Spot on the chain, USD.", "underlying")
SOURCES = _gauge("sources", "Sources that were believed last.")
SOURCES_MINIMUM = _gauge("sources_minimum", "Sources without which nothing is proposed.")
ANOMALIES = _gauge("anomalies", "Findings of the last hour that nobody has acknowledged.")

# Liquidation and settlement
FLAGS = _counter("flags", "Accounts flagged by this process.")
BIDS = _counter("bids", "Bids sent by this process.")
OPEN_AUCTIONS = _gauge("open_auctions", "Auctions open on the chain.")
BELOW_MAINTENANCE = _gauge("accounts_below_maintenance", "Accounts below maintenance margin at both spots.")
SETTLED = _counter("settlements", "Settlement prices and accounts that this process has settled.", "kind")

# Notices of margin calls, and alarms
NOTICES = _counter("notices", "Notices sent.", "kind", "result")

# The canary: what it sees on the chain alone
CANARY_TIME = _gauge("canary_last_look_timestamp", "When the canary last saw the whole chain state.")
CANARY_EPOCH_AGE = _gauge("canary_epoch_age_seconds", "Age of the latest epoch.")
CANARY_UNFLAGGED = _gauge("canary_unflagged_accounts", "Accounts below maintenance margin, unflagged.")
CANARY_UNFLAGGED_BLOCKS = _gauge("canary_unflagged_blocks", "Blocks that the oldest of them has stood.")
CANARY_AUCTIONS = _gauge("canary_open_auctions", "Auctions open.")
CANARY_AUCTION_AGE = _gauge("canary_auction_age_seconds", "Age of the oldest of them.")
CANARY_UNSETTLED = _gauge("canary_unsettled_expiries", "Expiries past, without a settlement price.")
CANARY_SETTLEMENT_DELAY = _gauge("canary_settlement_delay_seconds", "Since the oldest of them.")
CANARY_PAUSED = _gauge("canary_paused", "1 while a contract is paused.", "contract")
CANARY_CHANGES = _counter("canary_changes", "Changes of who governs, attests or guards.", "what")
CANARY_FUND = _gauge("canary_fund_assets", "Assets of the insurance fund, tokens.")
CANARY_SHORTFALL = _gauge("canary_shortfall", "Losses beyond the fund, tokens.")
CANARY_ALARMS = _gauge("canary_alarms", "1 while the canary's alarm stands.", "alarm")
