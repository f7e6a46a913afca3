"""Accounts over the counter: isolated ones, operators, cancelled orders, and a new owner."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from web3 import Web3
from web3.exceptions import ContractLogicError

from scripts._devnet import CHAIN_ID
from tests.support.wallet import Wallet, wallet_of_a_protocol

OWNER = ("--account", "TEST::3", "--id", "1")
OTHER = ("--account", "TEST::4", "--id", "1")
HOLDER = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"  # of TEST::4
FAR, DAY = 1_745_568_000, 86_400  # 2025-04-25 08:00 UTC
SIGN = ("--instrument", "ETH-25APR25-1800-C", "--quantity", "1", "--limit", "10")


@pytest.fixture(scope="module")
def wallet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with wallet_of_a_protocol(tmp_path_factory.mktemp("deployments")) as found:
        yield found


@pytest.mark.parametrize(
    ("confined", "shown"), [("ETH", "ETH"), ("eth-25apr25", "ETH-25APR25"), ("25APR25", "25APR25")]
)
def test_open_account__isolated__is_confined(wallet: Wallet, confined: str, shown: str) -> None:
    opened = wallet.answer("open_account", "--account", "TEST::3", "--isolated", confined)
    assert opened["isolated"] == shown
    found = wallet.answer("portfolio", "--id", str(opened["account"]), "--keeper", "http://127.0.0.1:1")
    assert found["isolated"] == shown


def test_set_operator__one_scope__that_one_only_until_revoked(wallet: Wallet) -> None:
    withdraw = ("withdraw", *OTHER, "--amount", "1")
    assert "nor may withdraw for it" in wallet.refusal(*withdraw)
    grant = ("set_operator", *OWNER, "--operator", HOLDER)
    granted = wallet.answer(*grant, "--scope", "withdraw", "--days", "1")
    assert granted["scopes"] == ["withdraw"]
    assert wallet.answer(*withdraw)["cash"] == "499"
    assert "nor may trade for it" in wallet.refusal("cancel", *OTHER, "--all")

    wallet.answer(*grant, "--revoke")
    assert "nor may withdraw for it" in wallet.refusal(*withdraw)


def test_cancel__one_order_and_all__dead_on_the_chain(wallet: Wallet, tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    assert wallet.run("sign_order", *OWNER, *SIGN, "--slot", "3", "--out", str(path)).returncode == 0
    (nonce,) = wallet.answer("cancel", *OWNER, "--order", str(path))["cancelled"]
    assert int(nonce) & 255 == 3
    assert "of account 1, not of 2" in wallet.refusal(
        "cancel", "--account", "TEST::3", "--id", "2", "--order", str(path)
    )
    assert wallet.answer("cancel", *OWNER, "--all")["cancelled"] == "all"


def test_cancel__slots__orders_in_them_alone_are_dead(wallet: Wallet, tmp_path: Path) -> None:
    nonces = {}
    for slot in ("5", "6", "7"):
        path = tmp_path / f"{slot}.json"
        assert wallet.run("sign_order", *OWNER, *SIGN, "--slot", slot, "--out", str(path)).returncode == 0
        nonces[slot] = int(json.loads(path.read_text())["order"]["nonce"])
    done = wallet.answer("cancel", *OWNER, "--slot", "7", "--slot", "5", "--slot", "7")
    assert done["cancelled"] == {"slots": [5, 7]}

    exchange = json.loads((wallet.deployments / f"{CHAIN_ID}.json").read_text())["contracts"]["Exchange"]
    reader = Web3(Web3.HTTPProvider(wallet.devnet.url)).eth.contract(exchange["address"], abi=exchange["abi"])
    assert reader.functions.filled(1, nonces["6"]).call() == 0
    for slot in ("5", "7"):
        with pytest.raises(ContractLogicError, match="exchange: order dead"):
            reader.functions.filled(1, nonces[slot]).call()


def test_transfer_account__new_owner__has_it_alone(wallet: Wallet) -> None:
    assert wallet.answer("transfer_account", *OWNER, "--to", HOLDER)["owner"] == HOLDER
    assert f"account 1 belongs to {HOLDER}" in wallet.refusal("transfer_account", *OWNER, "--to", HOLDER)
    assert "nor may withdraw" in wallet.refusal("withdraw", *OWNER, "--amount", "1")
    assert float(wallet.answer("withdraw", *OTHER, "--amount", "1")["cash"]) > 0


def test_keep__settlement_price__bounty_while_the_pot_has_one(wallet: Wallet) -> None:
    """Bitcoin has no listed expiry: that price is fixed for nothing."""
    keep = ("keep", "finalize", "--account", "TEST::4", "--instrument")
    record = json.loads((wallet.deployments / f"{CHAIN_ID}.json").read_text())["contracts"]
    web3 = Web3(Web3.HTTPProvider(wallet.devnet.url))
    token = web3.eth.contract(record["MockToken"]["address"], abi=record["MockToken"]["abi"])
    mint = token.functions.mint(record["Bounties"]["address"], 10 * 10**6)
    web3.eth.wait_for_transaction_receipt(mint.transact({"from": web3.eth.accounts[0]}))
    assert "the chain refuses finalize_settlement" in wallet.refusal(*keep, "ETH-25APR25")
    wallet.devnet.mine_at(FAR + DAY + 600)

    paid, unpaid = (wallet.answer(*keep, name) for name in ("ETH-25APR25", "BTC-25APR25"))
    assert (paid["sent_to"], paid["bounty"]) == ("Bounties", "1")
    assert (unpaid["sent_to"], unpaid["bounty"]) == ("RiskOracle", "0")
