"""Logs: to standard error, one line each, in the format and from the level that the operator chose."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from keeper.chain.keys import signer_of
from keeper.observability.logs import configure, logger, working_on
from keeper.observability.redaction import SECRETS, Secrets
from tests.support.logging_state import logging_restored

KEY = bytes(range(1, 33))


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    with logging_restored():
        yield


def test_logger__json__one_object_per_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    log = logger("attest")
    log.info("signed", number=7, reason='with "quotes"\nand a line')
    log.warning("refused")
    said = capsys.readouterr()
    assert said.out == ""
    first, second = map(json.loads, said.err.splitlines())
    assert datetime.fromisoformat(first.pop("timestamp")).utcoffset().total_seconds() == 0
    reason = 'with "quotes"\nand a line'
    assert first == {"duty": "attest", "event": "signed", "level": "info", "number": 7, "reason": reason}
    assert (second["level"], second["event"]) == ("warning", "refused")


def test_logger__console__plain_text_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info")
    logger("settle").info("settle", id="settle:1:2")
    said = capsys.readouterr().err
    assert "settle:1:2" in said and "duty=settle" in said and "\x1b" not in said


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_logger__level__everything_from_it_upwards(
    capsys: pytest.CaptureFixture[str], level: str, heard: list[str]
) -> None:
    configure("json", level)
    log = logger("test")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("said")
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == heard


def test_configure__unknown_level__refused() -> None:
    with pytest.raises(KeyError):
        configure("json", "loud")


@pytest.mark.parametrize("form", ["json", "console"])
def test_logger__a_signer_passed_by_mistake__its_key_stays_out(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure(form, "info")
    signer = signer_of(KEY)
    logger("test").info("started", signer=signer)
    said = capsys.readouterr().err
    assert signer.address in said
    assert KEY.hex() not in said and repr(KEY) not in said and repr(KEY)[2:-1] not in said


# Context


def test_working_on__lines_inside__carry_it_and_those_after_do_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("json", "info")
    with working_on(epoch=7, block="0xab"):
        with working_on(tx="0xcd"):
            logger("send").info("sent")
        logger("propose").info("posted")
    logger("propose").info("idle")
    inner, outer, after = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert (inner["epoch"], inner["block"], inner["tx"]) == (7, "0xab", "0xcd")
    assert outer["epoch"] == 7 and "tx" not in outer
    assert "epoch" not in after and "block" not in after


def test_working_on__something_else__refused() -> None:
    with pytest.raises(ValueError, match="epoch, block, intent, tx"), working_on(key="0x12"):
        pass


# Secrets


HEX_KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
PASSWORD = "correct horse battery"
CREDENTIALS = [
    "https://keeper:hunter2secret@node.example/rpc",
    "https://eth-mainnet.g.alchemy.com/v2/Zk3JqX9f0bT7yLmN2pQ8",
    "wss://node.example/ws?apikey=Zk3JqX9f0bT7yLmN2pQ8",
    "postgresql+psycopg://plimsoll:hunter2secret@db:5432/keeper",
    "mailtos://me:hunter2secret@mail.example?to=desk@example.org",
    "tgram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/12315544",
]
PARTS = [
    "hunter2secret",
    "Zk3JqX9f0bT7yLmN2pQ8",
    "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    HEX_KEY,
    HEX_KEY.upper(),
    PASSWORD,
]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("level", ["debug", "info"])
def test_any_line__keys_passwords_and_url_credentials__never_reach_a_log(
    capsys: pytest.CaptureFixture[str], form: str, level: str
) -> None:
    configure(form, level)
    SECRETS.hide(bytes.fromhex(HEX_KEY), PASSWORD)
    log = logger("chain")
    for url in CREDENTIALS:
        log.warning("node", url=url, reason=f"node {url} does not answer", nested={"all": [url, (url,)]})
        logging.getLogger("uvicorn.error").error("from a library: %s", url)
    log.error(
        "opened", key=f"0x{HEX_KEY}", other=f"with {PASSWORD}", raw=bytes.fromhex(HEX_KEY), up=HEX_KEY.upper()
    )
    log.info("config", password="short", api_key="abc", keystore="k", private_key="0x12")
    try:
        raise RuntimeError(f"cannot open with {PASSWORD} at {CREDENTIALS[0]}")
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("other").exception("failed too")
    said = capsys.readouterr().err

    assert len(said.splitlines()) >= 2 * len(CREDENTIALS) + 4 and "RuntimeError" in said
    assert not [part for part in [*PARTS, "short", "abc"] if part in said]
    assert "node.example" in said and "db:5432" in said  # enough is left to know which


def test_redact__addresses_hashes_and_our_own_paths__stay() -> None:
    kept = [
        "0x" + "ab" * 32,
        "http://127.0.0.1:8600/v1/epochs/latest",
        "http://host/v1/epochs/12/accounts/12345678901234567890",
        "http://host/v1/peers/0x" + "12" * 20,
        "sqlite:////var/lib/plimsoll/keeper.sqlite",
        "node http://127.0.0.1:8545 does not answer",
    ]
    assert [SECRETS.redact(text) for text in kept] == kept


def test_hide__very_short__is_not_masked_all_over() -> None:
    secrets = Secrets()
    secrets.hide("e")
    assert secrets.redact("the epoch") == "the epoch"
