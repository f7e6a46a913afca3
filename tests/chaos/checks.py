"""What must hold whatever has happened: nothing lost, nothing done twice, nothing signed twice."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from keeper.chain.contracts import Protocol
from keeper.chain.deployment import load
from keeper.chain.index import Index
from keeper.chain.node import Node
from keeper.store.database import Database
from keeper.store.schema import OF_A_BLOCK, VERSIONED
from tests.chaos.network import PATIENCE, Network
from tests.support.loop import ATTESTERS

_TABLES = tuple(table.name for table in (*VERSIONED, *OF_A_BLOCK))


def assert_safe(network: Network) -> None:
    """No double effect, no second signature, not a unit lost."""
    for name in network.proposers:
        assert_one_effect(network, name)
    for name in ATTESTERS:
        assert_one_digest(network, name)
    assert_conserved(network)


def assert_one_effect(network: Network, name: str) -> None:
    """Every mined transaction was in the journal before; at most one of each intent; what the journal calls
    done is on the chain."""
    effects = _effects(network, name)
    assert all(count == 1 for count in effects.values()), effects
    assert network.wait(lambda: not _lost(network, name), 6 * PATIENCE), _lost(network, name)


def _effects(network: Network, name: str) -> Counter[str]:
    """Mined transactions by intent."""
    mined = [hash for hash, _, _ in mined_by(network, network.signers[name].address)]
    attempts = dict(network.kept(name, "SELECT hash, intent FROM attempt"))  # read after the chain
    unknown = [hash for hash in mined if hash not in attempts]
    assert not unknown, f"{name} has sent what it has not kept: {unknown}"
    return Counter(attempts[hash] for hash in mined)


def _lost(network: Network, name: str) -> set[str]:
    """Intents that it takes for done and that are not on the chain."""
    done = network.kept(name, "SELECT id FROM intent WHERE state IN ('confirmed', 'final')")
    return {id for (id,) in done} - set(_effects(network, name))


def mined_by(network: Network, address: str) -> list[tuple[str, int, bool]]:
    """An address's transactions on the chain as it is: hash, block, whether it succeeded."""
    head = int(network.devnet.rpc("eth_blockNumber"), 16)
    blocks = (network.devnet.rpc("eth_getBlockByNumber", hex(n), True) for n in range(head + 1))
    own = address.lower()
    hashes = [tx["hash"] for block in blocks for tx in block["transactions"] if tx["from"].lower() == own]
    receipts = (network.devnet.rpc("eth_getTransactionReceipt", hash) for hash in hashes)
    return [(r["transactionHash"], int(r["blockNumber"], 16), r["status"] == "0x1") for r in receipts]


def assert_one_digest(network: Network, name: str) -> None:
    """One digest for each epoch and signer among all signatures that left a process; each was kept first."""
    seen = network.wires[name].signed
    assert all(len(digests) == 1 for digests in seen.values()), seen
    kept = network.kept(name, "SELECT signer, number, digest FROM signed_epoch")
    out = {(signer.lower(), number, *digests) for (signer, number), digests in seen.items()}
    assert out <= set(kept), out - set(kept)


def assert_conserved(network: Network) -> None:
    """Tokens held stand behind the cash of all and the fees, to the wei; futures net out."""
    accounts = range(1, network.struct("totals")["accounts"] + 1)
    vault, token = network.deployment["Vault"], network.deployment["MockToken"]
    held = network.backend.call(token, "balanceOf", vault.address)
    cash = sum(network.account(number)["cash"] for number in accounts) + network.struct("totals")["fees"]
    assert cash == held * 10**12 == network.deposited * 10**12


def assert_index(network: Network, *names: str) -> None:
    """What processes have indexed is what one gets that begins anew."""
    fresh = _replayed(network)
    for name in names or network.names:
        assert network.follows(name), f"{name} does not follow\n{network.logs()}"
        found = {table: sorted(network.kept(name, f"SELECT * FROM {table}"), key=repr) for table in _TABLES}
        for table in _TABLES:
            assert found[table] == fresh[table], (name, table)


def _replayed(network: Network) -> dict[str, list[Any]]:
    """Rows by table of an index over the whole chain as it is."""
    path = Path(network.folder, "fresh.sqlite")
    path.unlink(missing_ok=True)
    database = Database(f"sqlite:///{path}")
    deployment = load(network.folder / f"{network.devnet.chain_id}.json")
    Index(Protocol(Node(network.devnet.url), deployment), database).sync()
    rows: dict[str, list[Any]] = defaultdict(list)
    with database.read() as connection:
        for table in _TABLES:
            found = connection.exec_driver_sql(f"SELECT * FROM {table}")
            rows[table] = sorted(map(tuple, found), key=repr)
    database.close()
    return rows
