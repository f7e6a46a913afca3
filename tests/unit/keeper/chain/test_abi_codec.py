"""Events by ABI: values that JSON holds, structs by the contract's field names."""

from eth_abi.abi import encode

from keeper.chain import abi_codec


def test_decode__struct__by_field_name():
    event = next(e for e in abi_codec.load("RiskOracle").events.values() if e.name == "LimitsSet")
    values = (180, 300, 600, 2)
    data = encode([kind for _, kind in event.plain], [7, values])

    found = event.decode([event.topic], data)

    assert found["seq"] == 7
    names = ("maxAge", "staleAfter", "frozenAfter", "minBlocks")
    assert found["limits"] == dict(zip(names, values, strict=True))
