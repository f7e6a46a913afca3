"""Instrument names, there and back."""

import pytest

from keeper.markets.instrument import Kind
from keeper.portfolio.names import Name, name_of, parse_name
from keeper.portfolio.portfolio import Position

EXPIRY = 1_751_011_200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BTC-PERP", Name("BTC", Kind.PERP, 0.0, 0)),
        ("btc-perpetual", Name("BTC", Kind.PERP, 0.0, 0)),
        ("SOL-27JUN25", Name("SOL", Kind.FUTURE, 0.0, EXPIRY)),
        ("BTC-27JUN25-100000-C", Name("BTC", Kind.CALL, 100_000.0, EXPIRY)),
        ("ETH-20250627-1600.5-P", Name("ETH", Kind.PUT, 1600.5, EXPIRY)),
        ("XRP_USDC-27JUN25-1d5-P", Name("XRP_USDC", Kind.PUT, 1.5, EXPIRY)),
        (f"ETH-{EXPIRY + 60}-1600-C", Name("ETH", Kind.CALL, 1600.0, EXPIRY + 60)),
    ],
)
def test_parse_name__of_an_exchange__its_fields(text: str, expected: Name) -> None:
    name = parse_name(text)
    assert name == expected
    position = Position(name.underlying, name.kind, 1.0, name.strike, name.expiry)
    assert parse_name(name_of(position)) == expected


@pytest.mark.parametrize(
    "text", ["BTC", "BTC-27JUN25-C", "BTC-27JUN25-9-X", "BTC-99JUN25", "BTC-1-C", "BTC-27JUN25-0-C"]
)
def test_parse_name__no_name__refused(text: str) -> None:
    with pytest.raises(ValueError, match="none of|no moment|strike of zero"):
        parse_name(text)


def test_name_of__round_strike__without_decimals_or_exponent() -> None:
    assert name_of(Position("BTC", Kind.CALL, 1.0, 1e6, EXPIRY)) == "BTC-27JUN25-1000000-C"
    assert name_of(Position("DOGE", Kind.PUT, 1.0, 0.00001, EXPIRY)) == "DOGE-27JUN25-0.00001-P"
