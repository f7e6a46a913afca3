"""The command line on a real chain: what works says so, what does not ends in one sentence, exit code 1 and
no transaction."""

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from keeper.app import cli
from keeper.chain.keys import create_keystore
from keeper.network.server import create_app
from scripts._devnet import free_port, start_anvil
from tests.support.keepers import PROPOSER_KEY, USDC, Room, Town, town
from tests.support.keys import address_for
from tests.support.logging_state import logging_restored

NOBODY = "http://127.0.0.1:9"
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as found:
        found.devnet.rpc("anvil_setBalance", address_for(PROPOSER_KEY), hex(10**20))
        yield found


@dataclass
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Calls `plimsoll` as the shell does."""

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["plimsoll", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        code = caught.value.code
        said = capsys.readouterr()
        return Answer(code if isinstance(code, int) else int(code is not None), said.out, said.err)

    with logging_restored():
        yield call


class Folder:
    """One keeper's folder with a configuration that works; `edit` breaks it."""

    def __init__(self, place: Town, path: Path) -> None:
        self.path, self.place = path, place
        self.toml = path / "plimsoll.toml"

    @property
    def text(self) -> str:
        return self.toml.read_text()

    def edit(self, pattern: str, replacement: str) -> None:
        changed, count = re.subn(pattern, replacement, self.text, flags=re.MULTILINE)
        assert count, f"{pattern} is not in the configuration"
        self.toml.write_text(changed)


@pytest.fixture
def folder(place: Town, tmp_path: Path, run: Run) -> Folder:
    """A proposer's, made with `init`; its key has coins, its attesters do not exist."""
    deployment = place.write_deployment(tmp_path / "31337.json")
    found = Folder(place, tmp_path / "k")
    found.path.mkdir()
    (found.path / "password.txt").write_text(PASSWORD + "\n")
    (found.path / "password.txt").chmod(0o600)
    made = run(
        "init", found.path, "--role", "proposer", "--role", "settler", "--deployment", deployment,
        "--rpc", place.devnet.url, "--attester", NOBODY, "--light", "--port", free_port(),
    )  # fmt: skip
    assert made.code == 0, made.err
    (found.path / "keystore.json").unlink()
    create_keystore(found.path / "keystore.json", found.path / "password.txt", key=PROPOSER_KEY, light=True)
    return found


def nothing_sent(place: Town) -> bool:
    """The proposer's key has never been used, mined or not."""
    address = address_for(PROPOSER_KEY)
    return int(place.devnet.rpc("eth_getTransactionCount", address, "pending"), 16) == 0


def is_one_sentence(found: Answer) -> bool:
    """Exit code 1, nothing on stdout, a line that begins with the program's name; before it at most what the
    log said of endpoints."""
    *logged, last = found.err.splitlines()
    is_log = all("duty=pool" in line for line in logged)
    return found.code == 1 and found.out == "" and last.startswith("plimsoll: ") and is_log


def secrets_of(folder: Folder) -> list[str]:
    keystore = json.loads((folder.path / "keystore.json").read_text())
    key = PROPOSER_KEY.hex()
    return [PASSWORD, key, key.upper(), str(int(key, 16)), keystore["crypto"]["ciphertext"]]


# What works


def test_init__then_check__every_line_is_ok(folder: Folder, run: Run) -> None:
    found = run("check", "-c", folder.toml)
    assert found.code == 0, found.out
    names = [line.split()[1] for line in found.out.splitlines()]
    expected = "deployment node contracts interfaces methodology key balance source database clock disk"
    assert names == expected.split()
    assert all(line.startswith("ok ") for line in found.out.splitlines())
    assert "threshold 2 of 3" in found.out and address_for(PROPOSER_KEY) in found.out
    assert nothing_sent(folder.place)


def test_check__attester_of_the_quorum__named_by_its_place(place: Town, run: Run) -> None:
    place.keeper("attester1", "attester").close()
    found = run("check", "-c", place.folder / "attester1" / "plimsoll.toml")
    assert found.code == 0 and "is attester 1" in found.out


def test_check__attester_outside_the_quorum__fails(folder: Folder, run: Run) -> None:
    folder.edit(r"^roles = .*", 'roles = ["attester"]')
    found = run("check", "-c", folder.toml)
    assert found.code == 1
    assert f"FAIL key          {address_for(PROPOSER_KEY)} is no member of the quorum" in found.out


@pytest.mark.parametrize("case", ["own", "another's", "absent"])
def test_check__liquidator__its_account_is_looked_at(
    place: Town, folder: Folder, run: Run, case: str
) -> None:
    own = place.open_account(500 * USDC, owner=address_for(PROPOSER_KEY))
    account = {"own": own, "another's": place.accounts[0], "absent": own + 7}[case]
    folder.edit(r"^roles = .*", 'roles = ["proposer", "liquidator"]')
    folder.edit(r"^account = 0", f"account = {account}")
    found = run("check", "-c", folder.toml)
    said = {
        "own": f"ok   account      account {own} holds 500.00 in cash",
        "another's": f"FAIL account      {address_for(PROPOSER_KEY)} may not act for account {account}",
        "absent": f"FAIL account      account {account} is not open",
    }[case]
    assert said in found.out
    assert found.code == (0 if case == "own" else 1)


def test_once__liquidator_without_an_epoch__nothing_was_due(place: Town, folder: Folder, run: Run) -> None:
    """Apart from attesters and proposers it asks a keeper for the epoch; before the first there is none."""
    own = place.open_account(500 * USDC, owner=address_for(PROPOSER_KEY))
    folder.edit(r"^roles = .*", 'roles = ["liquidator"]')
    folder.edit(r"^account = 0", f"account = {own}")
    found = run("once", "-c", folder.toml)
    assert (found.code, found.out) == (0, "nothing was due\n"), found.err


def test_once__attester__nothing_was_due(place: Town, run: Run) -> None:
    place.keeper("attester1", "attester").close()
    found = run("once", "-c", place.folder / "attester1" / "plimsoll.toml")
    assert (found.code, found.out) == (0, "nothing was due\n")


def test_once__no_attester_answers__says_so_and_sends_nothing(folder: Folder, run: Run) -> None:
    found = run("once", "-c", folder.toml)
    assert found.code == 1 and nothing_sent(folder.place)
    said = found.err.splitlines()[-1]
    assert said == f"plimsoll: epoch 1: 0 of 2 signatures ({NOBODY}: unreachable: ConnectError)"


def test_once__attesters_there__posts_the_epoch(
    place: Town, folder: Folder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = place.devnet.rpc("evm_snapshot")
    attesters = [place.keeper(f"attester{i}", "attester") for i in (0, 1)]
    room = Room([keeper.attester for keeper in attesters])
    monkeypatch.setattr("keeper.app.network.Attesters", lambda *_: room)
    try:
        found = run("once", "-c", folder.toml)
        assert (found.code, found.out) == (0, "epoch proposed: first\n"), found.err
        assert place.backend.call(place.deployment["RiskOracle"], "header")[0] == 1
        again = run("once", "-c", folder.toml)
        assert (again.code, again.out) == (0, "nothing was due\n"), again.err
    finally:
        for keeper in attesters:
            keeper.close()
        place.devnet.rpc("evm_revert", saved)


def test_status__running_keeper__table_and_json(place: Town, run: Run) -> None:
    keeper = place.keeper("attester2", "attester")
    keeper.tick()
    port = free_port()
    app = create_app(keeper.desk.statements, keeper.status, attester=keeper.attester)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        whole = run("status", "--url", f"http://127.0.0.1:{port}/", "--json")
        found: dict[str, Any] = json.loads(whole.out)
        assert whole.code == 0 and found["ready"] and found["roles"] == ["attester"]
        assert found["accounts"] == 0 and found["chain_id"] == place.devnet.chain_id
        table = run("status", "--url", f"http://127.0.0.1:{port}")
        assert table.code == 0 and keeper.signer.address in table.out and "attester.signed" in table.out
        assert keeper.signer._key.hex() not in whole.out + table.out
    finally:
        server.should_exit = True
        thread.join(5)
        keeper.close()


# What does not


@pytest.mark.parametrize("content", [b"[]", b"7", b"hello"])
def test_status__something_else_answers__one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(
        "httpx.get",
        lambda url, timeout: httpx.Response(200, content=content, request=httpx.Request("GET", url)),
    )
    found = run("status", "--url", NOBODY)
    assert is_one_sentence(found) and "no keeper" in found.err


@pytest.mark.parametrize("command", ["run", "once"])
@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (r"^rpc = .*", f'rpc = "{NOBODY}"', f"node {NOBODY} does not answer"),
        (r"^keystore = .*", 'keystore = "gone.json"', "gone.json cannot be read: No such file"),
        (r"^password_file = .*", 'password_file = "gone.txt"', "gone.txt cannot be read: No such file"),
        (r"^deployment = .*", 'deployment = "gone.json"', "gone.json cannot be read: No such file"),
        (r"^venues = .*", 'venues = ["nowhere"]', "no venue nowhere"),
        (r"^database = .*", 'database = "sqlite:////proc/nowhere/x"', "cannot be opened"),
        (r"^database = .*", 'database = "nonsense"', "database"),
    ],
    ids=[
        "node down",
        "no keystore",
        "no password",
        "no deployment",
        "no venue",
        "no database",
        "bad database",
    ],
)
def test_run__bad_input__one_sentence_and_nothing_sent(
    folder: Folder, run: Run, command: str, pattern: str, replacement: str, said: str
) -> None:
    folder.edit(pattern, replacement)
    found = run(command, "-c", folder.toml)
    assert is_one_sentence(found), found
    assert said in found.err
    assert nothing_sent(folder.place)


def test_once__wrong_password__one_sentence_without_a_secret(folder: Folder, run: Run) -> None:
    secrets = secrets_of(folder)
    (folder.path / "password.txt").write_text("Tr0ub4dor&3\n")
    found = run("once", "-c", folder.toml)
    assert is_one_sentence(found), found
    assert "does not open with the password in" in found.err
    assert not any(secret in found.err for secret in [*secrets, "Tr0ub4dor"])
    checked = run("check", "-c", folder.toml)
    assert checked.code == 1 and "FAIL key" in checked.out and "Tr0ub4dor" not in checked.out + checked.err


def test_once__password_file_is_no_text__none_of_it_shown(folder: Folder, run: Run) -> None:
    (folder.path / "password.txt").write_bytes(b"\xff\xfe\xab\n")
    found = run("once", "-c", folder.toml)
    assert is_one_sentence(found), found
    assert found.err.endswith("password.txt is not UTF-8 text\n")


@pytest.mark.parametrize("content", ["", "{}", "[1]", "\0\1", '{"crypto": {}, "version": 3}'])
def test_once__keystore_is_none__one_sentence(folder: Folder, run: Run, content: str) -> None:
    (folder.path / "keystore.json").write_text(content)
    found = run("once", "-c", folder.toml)
    assert is_one_sentence(found), found
    assert "keystore" in found.err


def test_once__node_of_another_chain__both_ids_named(folder: Folder, run: Run) -> None:
    with start_anvil(chain_id=4_242) as other:
        folder.edit(r"^rpc = .*", f'rpc = "{other.url}"')
        found = run("once", "-c", folder.toml)
        assert is_one_sentence(found), found
        assert "is on chain 4242, not 31337 as the deployment" in found.err
        checked = run("check", "-c", folder.toml)
        assert checked.code == 1
        assert "is on chain 4242, the deployment on 31337" in checked.out


@pytest.mark.parametrize("contract", ["RiskOracle", "Clearinghouse", "Markets", "Exchange", "AttesterQuorum"])
def test_check__no_contract_at_the_address__named(
    place: Town, folder: Folder, run: Run, contract: str
) -> None:
    place.write_deployment(folder.path.parent / "31337.json", **{contract: "0x" + "42" * 20})
    found = run("check", "-c", folder.toml)
    assert found.code == 1
    assert f"FAIL contracts    no code at {contract}" in found.out
    assert nothing_sent(place)


@pytest.mark.parametrize("contract", ["RiskOracle", "Clearinghouse", "Markets"])
def test_once__wrong_contract_address__one_sentence_and_nothing_sent(
    place: Town, folder: Folder, run: Run, contract: str
) -> None:
    place.write_deployment(
        folder.path.parent / "31337.json", **{contract: place.deployment.address("MockToken")}
    )
    found = run("once", "-c", folder.toml)
    assert found.code == 1 and not found.out
    assert found.err.splitlines()[-1].startswith("plimsoll: ") and "Traceback" not in found.err
    assert f"{contract}." in found.err.splitlines()[-1], found.err
    assert nothing_sent(place)


def test_check__quorum_has_changed_since__the_one_in_force_is_named(
    place: Town, folder: Folder, run: Run
) -> None:
    token = place.deployment.address("MockToken")
    place.write_deployment(folder.path.parent / "31337.json", AttesterQuorum=token)
    found = run("check", "-c", folder.toml)
    assert f"at {place.deployment.address('AttesterQuorum')}, changed since" in found.out
    assert "FAIL contracts" not in found.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "is not JSON"),
        ("[]", "needs chain_id and contracts"),
        (
            '{"chain_id": 31337, "contracts": {}}',
            "no Clearinghouse, no Vault, no RiskOracle, no AttesterQuorum",
        ),
        (
            '{"chain_id": 31337, "contracts": {"Markets": {"address": "0x12"}, "Exchange": {"address": 7}}}',
            "Markets has a bad address, Exchange has a bad address",
        ),
    ],
)
def test_once__broken_deployment_file__everything_wrong_in_one_sentence(
    folder: Folder, run: Run, content: str, said: str
) -> None:
    (folder.path.parent / "31337.json").write_text(content)
    found = run("once", "-c", folder.toml)
    assert is_one_sentence(found), found
    assert said in found.err


@pytest.mark.parametrize("command", ["run", "once", "check"])
def test_any__configuration_with_several_problems__all_in_one_sentence(
    folder: Folder, run: Run, command: str
) -> None:
    folder.edit(r"^port = .*", "port = 70000")
    folder.edit(r"^tick_seconds = .*", 'tick_seconds = "soon"\ntick_second = 1')
    folder.edit(r"^venues = .*", "venues = []")
    found = run(command, "-c", folder.toml)
    assert is_one_sentence(found), found
    for name in ("api.port", "keeper.tick_seconds", "keeper.tick_second:", "source.venues"):
        assert name in found.err


def test_once__duties_that_contradict_each_other__all_in_one_sentence(folder: Folder, run: Run) -> None:
    folder.edit(r"^roles = .*", 'roles = ["proposer", "attester"]')
    folder.edit(r"^rpc = .*", 'rpc = "localhost:8545"')
    folder.edit(r"^attesters = .*", 'attesters = ["127.0.0.1:8600"]')
    folder.edit(r"^keystore = .*\n", "")
    found = run("once", "-c", folder.toml)
    assert is_one_sentence(found), found
    for name in (
        "keeper: name a keystore",
        "keeper.roles: an attester runs",
        "chain.rpc: must",
        "is not a URL",
    ):
        assert name in found.err


@pytest.mark.parametrize("content", ["[keeper", "\xff\xfe", ""])
def test_once__no_toml__one_sentence(folder: Folder, run: Run, content: str) -> None:
    folder.toml.write_bytes(content.encode("latin-1"))
    found = run("once", "-c", folder.toml)
    assert is_one_sentence(found), found
    assert str(folder.toml) in found.err


def test_check__node_down__every_other_line_is_still_there(folder: Folder, run: Run) -> None:
    folder.edit(r"^rpc = .*", f'rpc = "{NOBODY}"')
    found = run("check", "-c", folder.toml)
    assert found.code == 1 and len(found.out.splitlines()) == 11 and not found.err
    assert (
        found.out.startswith("ok   deployment") and f"FAIL node         node {NOBODY} does not" in found.out
    )


def test_check__key_without_coins__fails(place: Town, folder: Folder, run: Run) -> None:
    place.devnet.rpc("anvil_setBalance", address_for(PROPOSER_KEY), "0x0")
    try:
        found = run("check", "-c", folder.toml)
    finally:
        place.devnet.rpc("anvil_setBalance", address_for(PROPOSER_KEY), hex(10**20))
    assert found.code == 1 and "has no coins to pay for gas" in found.out


@pytest.mark.parametrize(("form", "level"), [("json", "debug"), ("console", "info")])
def test_once__in_any_format__no_secret_in_logs_or_output(
    folder: Folder, run: Run, form: str, level: str
) -> None:
    folder.edit(r"^format = .*", f'format = "{form}"')
    folder.edit(r"^level = .*", f'level = "{level}"')
    folder.place.open_account(10 * USDC)
    found = run("once", "-c", folder.toml)
    said = found.out + found.err
    assert "0 of 2 signatures" in said
    if form == "json":
        lines = [json.loads(line) for line in found.err.splitlines() if line.startswith("{")]
        assert "propose" in [line["duty"] for line in lines]
    assert not [secret for secret in secrets_of(folder) if secret in said]


def test_init__keystore_and_password__readable_by_the_owner_alone(
    place: Town, tmp_path: Path, run: Run
) -> None:
    deployment = place.write_deployment(tmp_path / "31337.json")
    made = run("init", tmp_path / "k", "--role", "attester", "--deployment", deployment, "--light")
    assert made.code == 0, made.err
    for name in ("keystore.json", "password.txt"):
        assert (tmp_path / "k" / name).stat().st_mode & 0o777 == 0o600
    password = (tmp_path / "k" / "password.txt").read_text().strip()
    assert len(password) >= 32 and password not in made.out + made.err
