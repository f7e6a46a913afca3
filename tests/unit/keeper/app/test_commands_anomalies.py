"""`plimsoll anomalies` from a file to an acknowledgement."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from keeper.analysis.anomalies import Finding
from keeper.app.cli import app
from keeper.store.anomaly_store import keep_finding
from keeper.store.database import Database

HOUR = 3_600


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """A quiet series with two jumps."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.005, 400)))
    close[250:] *= 0.8
    close[300:] *= 1.3
    path = tmp_path / "eth.csv"
    path.write_text("ts,close\n" + "".join(f"{i * HOUR},{c}\n" for i, c in enumerate(close)))
    return path


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/keeper.sqlite"


def run(*arguments: object) -> str:
    found = CliRunner().invoke(app, ["anomalies", *map(str, arguments)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.output


def times(output: str) -> list[int]:
    return sorted(f["time"] // HOUR for f in json.loads(output)["findings"])


def test_scan__price_file__findings_as_json(prices: Path) -> None:
    answer = json.loads(run("--prices", prices, "--json"))
    assert sorted(f["time"] // HOUR for f in answer["findings"]) == [250, 300]
    assert answer["scanned"] == {str(prices): 400} and answer["acknowledged"] == 0
    first = answer["findings"][0]
    assert set(first) >= {
        "id",
        "kind",
        "subject",
        "score",
        "threshold",
        "time",
        "explanation",
        "action",
        "widen",
    }


def test_scan__price_file__table_says_what_to_do(prices: Path) -> None:
    said = run("--prices", prices)
    assert "2 findings" in said and "alert" in said


def test_ack__one_of_two__only_it_is_silent_and_shown_with_all(prices: Path, database: str) -> None:
    first, second = json.loads(run("--prices", prices, "--json"))["findings"]
    run("ack", first["id"], "--by", "Ada", "--note", "news", "--database", database)
    scan = ("--prices", prices, "--database", database, "--json")
    answer = json.loads(run(*scan))
    assert [f["id"] for f in answer["findings"]] == [second["id"]] and answer["acknowledged"] == 1
    shown = {f["id"]: f.get("acknowledged") for f in json.loads(run(*scan, "--all"))["findings"]}
    assert shown[second["id"]] is None
    assert (shown[first["id"]]["person"], shown[first["id"]]["note"]) == ("Ada", "news")


def test_scan__database__what_the_keeper_itself_found(database: str) -> None:
    kept = Finding("dissent", "http://b", 7, 0.5, 0.2, "refused 5 of 10")
    with Database(database).begin() as connection:
        keep_finding(connection, kept.fields())
    assert json.loads(run("--database", database, "--json"))["findings"] == [kept.fields()]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--json",), "name --prices, --chain, --config"),
        (("ack", "0123456789ab", "--by", "Ada", "--note", "x"), "name --config or --database"),
        (("--prices", "absent.csv"), "absent.csv cannot be read"),
    ],
)
def test_anomalies__faulty__one_sentence(arguments: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        run(*arguments)


def test_scan__no_keeper__one_sentence() -> None:
    with pytest.raises(RuntimeError, match="no keeper with epochs answers at http://127.0.0.1:9"):
        run("--keeper", "http://127.0.0.1:9")
