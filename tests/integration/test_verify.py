"""`ape run verify`: a deployment as recorded passes, and every way to tamper with one is found."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scripts._protocol import AuctionTerms, DebtTerms
from scripts._verification import RULES, WIRING, Deployed, checks
from tests.support.governed import ANYONE, DELAY, OPS, Governed, governed
from tests.support.keys import address_for, key_of

STRANGER = address_for(key_of("stranger"))
WAD = 10**18


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    with governed(tmp_path_factory.mktemp("deployments")) as found:
        yield found


def found_by(shell: Governed) -> set[tuple[str, str]]:
    """Contract and what differs."""
    answer = shell.answer("verify", code=1)
    return {(finding["contract"], finding["what"]) for finding in answer["findings"]}


def test_verify__as_deployed__finds_nothing(shell: Governed) -> None:
    answer = shell.answer("verify", "--all")
    assert answer["findings"] == []
    rows = {(row["contract"], row["what"]) for row in answer["all"]}
    assert {(name, "code") for name in shell.deployment.contracts} <= rows
    assert {(name, view) for name, view in WIRING} <= rows
    assert answer["checks"] == len(answer["all"])


def test_verify__for_people__says_what_differs(shell: Governed) -> None:
    done = shell.run("verify")
    assert done.returncode == 0
    assert " checks, 0 differences on chain 31337" in done.stdout
    with shell.undone():
        shell.as_timelock("Exchange", "set_fees", 1, 2)
        done = shell.run("verify")
    assert done.returncode == 1
    assert "DIFF  Exchange" in done.stdout
    assert "found    [1, 2]" in done.stdout


TAMPERED: list[tuple[str, str, tuple[Any, ...], tuple[str, str]]] = [
    ("Exchange", "set_fees", (1, 2), ("Exchange", "fee_rates")),
    ("Exchange", "transfer_ownership", (STRANGER,), ("Exchange", "owner")),
    ("Clearinghouse", "transfer_ownership", (STRANGER,), ("Clearinghouse", "owner")),
    ("Clearinghouse", "set_guardian", (STRANGER,), ("Clearinghouse", "guardian")),
    ("Clearinghouse", "set_module", ("@MockToken", True), ("Clearinghouse", "all modules")),
    ("Markets", "set_limits", (1, (WAD, WAD, WAD, 86_400)), ("Markets", "limits(1)")),
    ("RiskOracle", "set_bands", (1, (25, 50, 75)), ("RiskOracle", "bands(1)")),
    ("RiskOracle", "set_limits", ((60, 60, 60, 4),), ("RiskOracle", "limits")),
    ("RiskOracle", "set_quorum", ("@MockQuorum",), ("RiskOracle", "quorum")),
    ("Vault", "set_outflow_share", (WAD,), ("Vault", "outflow(@MockToken)")),
    ("Vault", "list_collateral", ("@WETH", (0, 18, 1, 0, 0, 10**24)), ("Vault", "collateral(@WETH)")),
    ("Vault", "set_fee_recipient", (STRANGER,), ("Vault", "fee_recipient")),
    ("InsuranceFund", "set_cooldown", (86_400,), ("InsuranceFund", "cooldown")),
    ("InsuranceFund", "set_daily_share", (WAD,), ("InsuranceFund", "daily_share")),
    ("AuctionHouse", "set_terms", (AuctionTerms(dust=WAD).values(),), ("AuctionHouse", "terms")),
    ("CollateralSale", "set_terms", (DebtTerms(debt_cap=WAD).values(),), ("CollateralSale", "terms")),
    ("Treasury", "set_split", ((0, 10_000, 1),), ("Treasury", "split")),
    ("Bounties", "set_bounty", (1, (2, 2, 0)), ("Bounties", "bounty(1)")),
    ("Timelock", "update_delay", (DELAY + 1,), ("Timelock", "get_minimum_delay")),
    ("Timelock", "grantRole", ("#PROPOSER_ROLE", STRANGER), ("Timelock", "PROPOSER_ROLE")),
    ("Timelock", "grantRole", ("#DEFAULT_ADMIN_ROLE", STRANGER), ("Timelock", "DEFAULT_ADMIN_ROLE")),
]


@pytest.mark.parametrize(("contract", "function", "arguments", "finding"), TAMPERED)
def test_verify__one_thing_changed_past_the_timelock__is_found(
    shell: Governed, contract: str, function: str, arguments: tuple[Any, ...], finding: tuple[str, str]
) -> None:
    with shell.undone():
        shell.as_timelock(contract, function, *(_resolved(shell, a) for a in arguments))
        differences = found_by(shell)
    name, what = finding
    for token in ("MockToken", "WETH"):
        what = what.replace(f"@{token}", shell.deployment.address(token).lower())
    assert (name, what) in differences
    assert {contract for contract, _ in differences} == {name}


def _resolved(shell: Governed, argument: Any) -> Any:
    """@Name: the address of a contract; #ROLE: of the Timelock."""
    if argument == "@MockQuorum":
        members = [address_for(key_of(f"other attester {i}")) for i in range(3)]
        return shell.backend.deploy("AttesterQuorum", members, 2).address
    if isinstance(argument, str) and argument.startswith("@"):
        return shell.deployment.address(argument[1:])
    if isinstance(argument, str) and argument.startswith("#"):
        return shell.backend.call(shell.deployment["Timelock"], argument[1:])
    return argument


def test_verify__other_code__is_found(shell: Governed) -> None:
    fund = shell.deployment.address("InsuranceFund")
    code = shell.devnet.rpc("eth_getCode", fund, "latest")
    with shell.undone():
        shell.devnet.rpc("anvil_setCode", fund, code[:-2] + ("00" if code[-2:] != "00" else "01"))
        assert found_by(shell) == {("InsuranceFund", "code")}


def test_verify__other_immutables__are_found(shell: Governed) -> None:
    """The same sources with another attester are another set."""
    members = [address_for(key_of(f"other attester {i}")) for i in range(5)]
    with shell.undone():
        other = shell.backend.deploy("AttesterQuorum", members, 3)
        code = shell.devnet.rpc("eth_getCode", other.address, "latest")
        shell.devnet.rpc("anvil_setCode", shell.deployment.address("AttesterQuorum"), code)
        assert {("AttesterQuorum", "code"), ("AttesterQuorum", "signers")} <= found_by(shell)


@pytest.mark.parametrize(
    ("contract", "index", "value"),
    [("AttesterQuorum", 1, 4), ("Exchange", 0, STRANGER), ("Timelock", 0, DELAY - 1)],
)
def test_verify__record_with_other_arguments__is_found(
    shell: Governed, contract: str, index: int, value: Any
) -> None:
    path = shell.deployments / "31337.json"
    kept = path.read_text()
    record = json.loads(kept)
    record["contracts"][contract]["arguments"][index] = value
    try:
        path.write_text(json.dumps(record))
        assert (contract, "code") in found_by(shell)
    finally:
        path.write_text(kept)


def test_verify__production__wants_three_days_and_no_power_of_the_deployer(
    shell: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a devnet may have, another chain may not."""
    monkeypatch.setattr("scripts._verification.DEVNET", 1)
    record = json.loads((shell.deployments / "31337.json").read_text())
    differences = {(c.contract, c.what) for c in checks(Deployed(shell.backend.web3, record)) if not c.holds}
    assert differences == {
        ("Timelock", "exit window >= 259200 s"),
        ("Timelock", "deployer has PROPOSER_ROLE"),
        ("Timelock", "deployer has CANCELLER_ROLE"),
    }


def test_verify__changed_by_an_operation__expects_the_change(shell: Governed) -> None:
    with shell.undone():
        call = ("--call", "Exchange.set_fees(200000000000000, 300000000000000)")
        made = shell.answer("govern", "schedule", *OPS, *call, "--yes")
        shell.wait(DELAY)
        shell.answer("govern", "execute", *ANYONE, "--id", made["id"], "--yes")
        rows = shell.answer("verify", "--all")
        assert rows["findings"] == []
        (fees,) = (row for row in rows["all"] if row["what"] == "fee_rates")
        assert fees["found"] == str([2 * 10**14, 3 * 10**14])

        shell.as_timelock("Exchange", "set_fees", 10**14, 3 * 10**14)
        assert found_by(shell) == {("Exchange", "fee_rates")}


def test_rules__every_setting_of_the_recipe__can_be_read_back(shell: Governed) -> None:
    kinds = {contract.address: contract.name for contract in shell.deployment.contracts.values()}
    assert {f"{kinds[step.address]}.{step.function}" for step in shell.deployment.steps} <= RULES.keys()
