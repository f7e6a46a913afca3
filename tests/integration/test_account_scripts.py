"""Accounts over the counter: isolated ones, operators, cancelled orders, and a new owner."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wallet import Wallet, wallet_of_a_protocol

OWNER = ("--account", "TEST::3", "--id", "1")
OTHER = ("--account", "TEST::4", "--id", "1")
HOLDER = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"  # of TEST::4
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


def test_transfer_account__new_owner__has_it_alone(wallet: Wallet) -> None:
    assert wallet.answer("transfer_account", *OWNER, "--to", HOLDER)["owner"] == HOLDER
    assert f"account 1 belongs to {HOLDER}" in wallet.refusal("transfer_account", *OWNER, "--to", HOLDER)
    assert "nor may withdraw" in wallet.refusal("withdraw", *OWNER, "--amount", "1")
    assert float(wallet.answer("withdraw", *OTHER, "--amount", "1")["cash"]) > 0
