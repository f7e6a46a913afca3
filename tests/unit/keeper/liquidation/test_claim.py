"""What the twin of claims adds for the keepers: spots apart, collateral moved, and the encoding."""

import pytest
from eth_abi.abi import decode

from keeper.liquidation import claim as claims
from keeper.liquidation.claim import Change, ClaimError, Effect
from keeper.liquidation.encoding import encode_claim
from keeper.markets.instrument import Instrument, Kind
from keeper.units import constants as c
from keeper.units.constants import WAD

CALL = Instrument(1, 1_744_070_400, 2_000 * 10**8, Kind.CALL).pack()
OTHER = Instrument(2, 1_744_070_400, 100 * 10**8, Kind.PUT).pack()
LEAF = (1, 0, 0, bytes(32), 0, 0, 0, 0, 0, WAD, 0, bytes(32))
UNIT = (CALL, WAD, 0, 0, 0, 0)


def test_slack__sizes_of_nets_times_what_their_spots_are_apart():
    effect = Effect({CALL: -2 * WAD, OTHER: 3 * WAD}, {})
    assert claims.slack_of(effect, {1: 40 * 10**8}) == 80 * WAD
    assert claims.slack_of(effect, {1: 40 * 10**8, 2: 10**8}) == 83 * WAD
    assert claims.slack_of(effect, {}) == 0


def test_moved_value__net_of_each_token_whichever_way_rounded_up():
    changes = [
        Change(c.CHANGE_COLLATERAL, 1, 3 * WAD, 0),
        Change(c.CHANGE_WITHDRAWAL, 1, -WAD, 0),
        Change(c.CHANGE_CONVERSION, 2, -1, 0),
    ]
    effect = Effect({}, {1: 2 * WAD, 2: -1})
    assert claims.moved_value(effect, {1: 2_000 * 10**8, 2: 1}) == 4_000 * WAD + 1
    with pytest.raises(ClaimError, match="do not lead"):
        claims.replay(bytes(32), bytes(32), changes)


def test_encode_claim__every_field__decodes_to_itself():
    values = (
        [CALL, OTHER],
        c.WAY_LEAF,
        LEAF,
        [b"\x01" * 32],
        7,
        0,
        (3, [(b"\x02" * 32, 5)]),
        [(c.CHANGE_FILL, CALL, -WAD, 2 * WAD)],
        [UNIT],
        [[b"\x03" * 32, b"\x04" * 32]],
    )
    kinds = (
        "(uint128[],uint8,"
        "(uint256,uint128,int128,bytes32,int128,uint128,uint128,int128,uint128,uint64,uint128,bytes32),"
        "bytes32[],uint64,uint64,(uint256,(bytes32,uint256)[]),(uint8,uint128,int256,uint256)[],"
        "(uint128,uint128,uint128,uint128,uint128,uint128)[],bytes32[][])"
    )
    (found,) = decode([kinds], encode_claim(values))
    assert frozen(found) == frozen(values)


def frozen(value):
    """Lists as tuples, all the way down."""
    return tuple(frozen(one) for one in value) if isinstance(value, (list, tuple)) else value
