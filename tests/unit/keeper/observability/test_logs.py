"""Logs: to standard error, one line each, in the format and from the level that the operator chose."""

import json
from collections.abc import Iterator
from datetime import datetime

import pytest
import structlog

from keeper.chain.keys import signer_of
from keeper.observability.logs import configure, logger

KEY = bytes(range(1, 33))


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


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
