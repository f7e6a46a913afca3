"""Bad input ends in one sentence and exit code 1."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.app import cli
from tests.support.logging_state import logging_restored


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Logging goes to the captured standard error, which later tests do not have any more."""
    with logging_restored():
        yield


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["plimsoll", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    return code if isinstance(code, int) else int(bool(code))


def _init(monkeypatch: pytest.MonkeyPatch, folder: Path, *more: str) -> int:
    base = ("init", str(folder), "--deployment", str(folder / "31337.json"), "--light")
    return _run(monkeypatch, *base, *(more or ("--role", "attester")))


def test_init__twice__second_leaves_everything_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _init(monkeypatch, tmp_path / "k") == 0
    assert "address 0x" in capsys.readouterr().out
    before = (tmp_path / "k" / "keystore.json").read_text()
    assert _init(monkeypatch, tmp_path / "k") == 1
    assert "left alone" in capsys.readouterr().err
    assert (tmp_path / "k" / "keystore.json").read_text() == before


def test_init__proposer_without_attesters__refused_and_nothing_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _init(monkeypatch, tmp_path / "k", "--role", "proposer") == 1
    assert "at least one" in capsys.readouterr().err
    assert not list((tmp_path / "k").iterdir())


@pytest.mark.parametrize("command", ["run", "once"])
def test_run__no_deployment__one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    _init(monkeypatch, tmp_path / "k")
    assert _run(monkeypatch, command, "-c", str(tmp_path / "k" / "plimsoll.toml")) == 1
    said = capsys.readouterr().err
    assert "cannot be read" in said and said.count("\n") == 1


def test_status__nobody_answers__one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "status", "--url", "http://127.0.0.1:9") == 1
    assert "no keeper answers" in capsys.readouterr().err
