"""Every wallet script answers bad input with one sentence and a non-zero exit, and sends nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts._devnet import ROOT, free_port, start_anvil
from tests.support.wallet import Wallet, wallet_of_a_protocol

DEPOSIT = ("deposit", "--account", "TEST::3", "--id", "1", "--amount")
WITHDRAW = ("withdraw", "--account", "TEST::3", "--id", "1", "--amount")
KEEP = ("keep", "funding", "--account", "TEST::3")
BID = ("bid", "--account", "TEST::3", "--id", "2", "--bidder", "1")
SIGN = ("sign_order", "--account", "TEST::3", "--id", "1", "--limit", "10")
FIVE_LEGS = [word for strike in range(1500, 2000, 100) for word in ("--leg", f"ETH-25APR25-{strike}-C:1")]
OTHER = ("--account", "TEST::4", "--id", "1")
HOLDER = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"  # of TEST::4
OPERATOR = ("set_operator", "--account", "TEST::3", "--id", "1", "--operator", HOLDER)
UNLISTED = "0x" + "12" * 20
WRONG_CHECKSUM = "0x90F79bf6EB2c4f870365E785982E1f101E93b90A"


@pytest.fixture(scope="module")
def wallet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with wallet_of_a_protocol(tmp_path_factory.mktemp("deployments")) as found:
        yield found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((*DEPOSIT, "0.1234567"), "amount 0.1234567 has more than 6 decimals"),
        ((*DEPOSIT, "-5"), "amount -5 must be above zero"),
        ((*DEPOSIT, "ten"), "amount ten is not a number"),
        ((*DEPOSIT, "501"), "less than 501"),
        ((*WITHDRAW, "501"), "the chain refuses withdraw"),
        ((*WITHDRAW, "1", "--to", "0x12"), "0x12 is not an address"),
        ((*WITHDRAW, "1", "--to", WRONG_CHECKSUM), "wrong checksum"),
        (("withdraw", "--account", "TEST::4", "--id", "1", "--amount", "1"), "nor may withdraw for it"),
        (("withdraw", "--id", "1", "--amount", "1"), "no key given"),
        (("withdraw", "--account", "nobody", "--id", "1", "--amount", "1"), "there is no key nobody"),
        (("portfolio", "--id", "9"), "there is no account 9"),
        (("open_account", "--account", "TEST::3", "--isolated", "DOGE"), "DOGE is none of ETH"),
        (("open_account", "--account", "TEST::3", "--isolated", "ETH-1"), "1 is not a day like 25APR25"),
        (("transfer_account", *OTHER, "--to", HOLDER), "account 1 belongs to 0x90F79bf6"),
        ((*OPERATOR, "--revoke", "--scope", "trade"), "give --scope at least once, or --revoke"),
        (OPERATOR, "give --scope at least once, or --revoke"),
        ((*OPERATOR, "--scope", "borrow"), "'borrow' is not one of 'trade', 'withdraw', 'deposit'"),
        (("set_operator", *OTHER, "--operator", HOLDER, "--revoke"), "account 1 belongs to 0x90F79bf6"),
        (("cancel", "--account", "TEST::3", "--id", "1"), "give either --order or --slot"),
        (("cancel", "--account", "TEST::3", "--id", "1", "--all", "--slot", "1"), "give either --order or"),
        (("cancel", *OTHER, "--all"), "nor may trade for it"),
        (("keep", "settle", "--account", "TEST::3"), "settle needs --id"),
        (("keep", "settle", "--account", "TEST::3", "--id", "1"), "the chain refuses settle: clearing:"),
        (("keep", "note-debt", "--account", "TEST::3", "--id", "1"), "the chain refuses note_debt: sale:"),
        (("keep", "finalize", "--account", "TEST::3"), "finalize needs --instrument"),
        (("keep", "finalize", "--account", "TEST::3", "--instrument", "ETH-PERP"), "does not expire"),
        (("keep", "funding", "--account", "TEST::3", "--instrument", "ETH-25APR25"), "is not a perp"),
        (
            (*KEEP, "--instrument", "ETH-PERP", "--keeper", "http://127.0.0.1:1"),
            "no keeper answers",
        ),
        (("cancel", "--account", "TEST::3", "--id", "1", "--order", "none.json"), "none.json cannot be read"),
        ((*WITHDRAW, "1", "--way", "leaf", "--keeper", "http://127.0.0.1:1"), "no keeper answers"),
        ((*DEPOSIT, "1", "--token", UNLISTED), "is not listed as collateral"),
        (
            (*WITHDRAW, "1", "--token", UNLISTED, "--way", "headroom"),
            "collateral leaves by worst-case or report",
        ),
        (("flag", "--account", "TEST::3", "--id", "1", "--update"), "account 1 is not in auction"),
        (
            ("flag", "--account", "TEST::3", "--id", "1", "--keeper", "http://127.0.0.1:1"),
            "no keeper answers",
        ),
        ((*BID, "--limit", "5"), "there is no account 2"),
        ((*BID, "--limit", "5", "--fraction", "1.5"), "fraction 1.5 is more than 1"),
        ((*SIGN, "--instrument", "DOGE-PERP", "--quantity", "1"), "DOGE-PERP is none of"),
        ((*SIGN, "--instrument", "ETH-PERP", "--quantity", "0.001"), "not a multiple of the lot"),
        ((*SIGN, "--instrument", "ETH-1APR25", "--quantity", "1"), "the instrument has expired"),
        (SIGN, "name --instrument and --quantity, or a --leg"),
        ((*SIGN, "--instrument", "ETH-PERP", "--leg", "ETH-PERP:1"), "name either --instrument or --leg"),
        ((*SIGN, "--leg", "ETH-PERP"), "ETH-PERP is not INSTRUMENT:NUMBER"),
        ((*SIGN, "--leg", "ETH-PERP:1", "--leg", "ETH-PERP:-1"), "ETH-PERP is named twice"),
        ((*SIGN, "--leg", "ETH-PERP:0.001"), "not a multiple of the lot"),
        ((*SIGN, *FIVE_LEGS), "an order has 1 to 4 legs"),
        ((*SIGN, "--leg", "ETH-PERP:0.01", "--quantity", "0.5"), "0.5 packages are not whole lots"),
    ],
)
def test_script__bad_input__one_sentence(wallet: Wallet, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in wallet.refusal(*arguments)


def test_ape_run__bad_input__one_sentence(wallet: Wallet) -> None:
    before = wallet.devnet.rpc("eth_blockNumber")
    done = wallet.ape(*DEPOSIT, "0.1234567", "--network", wallet.devnet.url)
    assert done.returncode != 0
    assert "amount 0.1234567 has more than 6 decimals" in done.stderr and "Traceback" not in done.stderr
    assert wallet.devnet.rpc("eth_blockNumber") == before


def test_ape_run__every_script__is_a_command(wallet: Wallet) -> None:
    scripts = sorted(path.stem for path in (ROOT / "scripts").glob("[a-z]*.py"))
    commands = [name for name in scripts if "click.command" in (ROOT / "scripts" / f"{name}.py").read_text()]
    done = wallet.ape("--help")
    listed = {line.split()[0] for line in done.stdout.split("Commands:\n")[1].splitlines() if line.strip()}
    assert {"deposit", "withdraw", "bid", "stake", "fill_order"} <= set(commands) <= listed


def test_script__node_down__one_sentence(wallet: Wallet) -> None:
    done = wallet.ape("portfolio", "--id", "1", "--network", f"http://127.0.0.1:{free_port()}")
    assert done.returncode != 0
    assert "No (supported) node found" in done.stderr and "Traceback" not in done.stderr


def test_script__other_chain__one_sentence(wallet: Wallet) -> None:
    with start_anvil(chain_id=4242) as other:
        done = wallet.ape("portfolio", "--id", "1", "--network", other.url)
    assert done.returncode != 0
    assert "not deployed on chain 4242" in done.stderr and "Traceback" not in done.stderr


def test_fill_order__expired_order__one_sentence(wallet: Wallet, tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    signed = wallet.run(
        *SIGN, "--instrument", "ETH-PERP", "--quantity", "1", "--minutes", "1", "--out", str(path)
    )
    assert signed.returncode == 0, signed.stderr
    wallet.devnet.rpc("evm_increaseTime", 3_600)
    wallet.devnet.rpc("evm_mine")
    assert "has expired" in wallet.refusal("fill_order", str(path), str(path), "--account", "TEST::3")


def test_fill_order__changed_order__one_sentence(wallet: Wallet, tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    wallet.run(*SIGN, "--instrument", "ETH-PERP", "--quantity", "1", "--out", str(path))
    content = json.loads(path.read_text())
    content["order"]["limit"] = "1"
    path.write_text(json.dumps(content))
    refusal = wallet.refusal("fill_order", str(path), str(path), "--account", "TEST::3")
    assert "neither owns account 1 nor may trade for it" in refusal
