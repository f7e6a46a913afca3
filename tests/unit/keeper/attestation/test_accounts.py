"""Accounts and leaves as columns: the same as one by one, whatever is changed."""

import random
from dataclasses import astuple, replace

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.attestation.accounts import Accounts
from keeper.attestation.compiled_sections import ACCOUNT_TYPE
from keeper.attestation.leaves import Leaves
from keeper.attestation.snapshot import AccountState
from keeper.attestation.typed_data import MarginLeaf, leaf
from keeper.markets.instrument import Instrument, Kind, Leg, word
from keeper.risk.collateral import Collateral
from keeper.units.constants import MAX_QUANTITY, PRICE_UNIT, WAD

INSTRUMENTS = sorted(Instrument(u, e, 0, Kind(int(e > 0))).pack() for u in (1, 2, 3) for e in (0, 300, 600))


def state(account: int, rng: random.Random) -> AccountState:
    """Up to seven legs, up to two coins, sizes from one unit to the most there is."""
    held = sorted(rng.sample(INSTRUMENTS, rng.randrange(8)))
    sizes = (
        rng.choice([-1, 1]) * rng.choice([PRICE_UNIT, 3 * WAD, MAX_QUANTITY // PRICE_UNIT * PRICE_UNIT])
        for _ in held
    )
    coins = [Collateral(i, i, 1_000 * i, 500, rng.randrange(1, 10**22)) for i in (1, 4) if rng.random() < 0.3]
    return AccountState(
        account,
        tuple(Leg(i, q) for i, q in zip(held, sizes, strict=True)),
        rng.randrange(2**128),
        rng.randrange(-(2**127), 2**127),
        rng.randbytes(32),
        rng.randrange(16),
        tuple(coins),
    )


def section(a: AccountState) -> bytes:
    """The section's leaf by the ABI encoder."""
    types = ["uint256", "uint256[]", "uint256", "int256", "bytes32", "uint256"]
    types.append("(uint256,uint256,uint256,uint256,uint256)[]")
    book = [word(leg.instrument, leg.quantity) for leg in a.legs]
    values = [
        a.account,
        book,
        a.added_im,
        a.added_mark,
        a.book_hash,
        a.tier,
        [astuple(c) for c in a.collateral],
    ]
    return leaf(keccak(encode(["bytes32", *types], [keccak(text=ACCOUNT_TYPE), *values])))


def test_accounts__random_ones__themselves_and_their_sections() -> None:
    states = [state(3 * n + 1, random.Random(n)) for n in range(80)]
    accounts = Accounts.of(states)
    assert list(accounts) == states
    assert [row.tobytes() for row in accounts.section_leaves] == [section(a) for a in states]
    assert accounts.held == tuple(sorted({leg.instrument for a in states for leg in a.legs}))
    assert [accounts.find(a) for a in (0, 1, 2, 4, 238, 239)] == [None, 0, None, 1, 79, None]


@pytest.mark.parametrize("is_hashed", [True, False])
def test_changed__random_histories__as_made_anew(is_hashed: bool) -> None:
    rng = random.Random(3)
    now = {n: state(n, rng) for n in range(1, 40)}
    accounts = Accounts.of(now.values())
    for _ in range(30):
        if is_hashed:
            accounts.section_leaves  # noqa: B018 - kept from here on
        fresh = {n: state(n, rng) for n in rng.sample(range(1, 60), rng.randrange(6))}
        gone = set(rng.sample(sorted(now), rng.randrange(3))) - fresh.keys()
        now = {n: a for n, a in sorted((now | fresh).items()) if n not in gone}
        accounts = accounts.changed(Accounts.of(a for _, a in sorted(fresh.items())), without=gone)
        assert list(accounts) == list(now.values())
        assert accounts == Accounts.of(now.values())


def test_holders__of_some_instruments__exactly_those() -> None:
    states = [state(n, random.Random(n)) for n in range(1, 50)]
    asked = set(INSTRUMENTS[2:4])
    expected = [i for i, a in enumerate(states) if asked & {leg.instrument for leg in a.legs}]
    assert Accounts.of(states).holders(asked).tolist() == expected
    assert Accounts.of(states).holders([1]).tolist() == []


@pytest.mark.parametrize("quantity", [PRICE_UNIT + 1, MAX_QUANTITY + PRICE_UNIT])
def test_accounts__impossible_quantity__refused(quantity: int) -> None:
    with pytest.raises(ValueError, match="no quantity of the chain"):
        Accounts.of([AccountState(1, (Leg(INSTRUMENTS[0], quantity),), 0, 0, bytes(32))])


def test_first_difference__one_field_of_one_account__its_position() -> None:
    states = [state(n, random.Random(n)) for n in range(1, 9)]
    for name, value in (("tier", 99), ("added_mark", 5), ("book_hash", b"\7" * 32), ("collateral", ())):
        changed = replace(states[3], **{name: value})
        other = Accounts.of([*states[:3], changed, *states[4:]])
        expected = None if changed == states[3] else 3
        assert Accounts.of(states).first_difference(other) == expected


def margin(account: int, rng: random.Random) -> MarginLeaf:
    unsigned, signed = (lambda bits: rng.randrange(2**bits)), (lambda: rng.randrange(-(2**127), 2**127))
    return MarginLeaf(
        account, unsigned(128), signed(), rng.randbytes(32), signed(), unsigned(128), unsigned(128), signed(),
        unsigned(128), unsigned(64), unsigned(128), rng.randbytes(32),
    )  # fmt: skip


def test_leaves__random_ones__themselves_and_their_hashes() -> None:
    plain = [margin(5 * n, random.Random(n)) for n in range(50)]
    leaves = Leaves.of(plain)
    assert list(leaves) == plain
    assert [h.tobytes() for h in leaves.hashes()] == [leaf(one.struct_hash()) for one in plain]
    assert leaves.book_hashes() == {one.account: one.book_hash for one in plain}
    assert (leaves.find(10), leaves.find(11), len(leaves[3:7])) == (2, None, 4)
    changed = Leaves.of([*plain[:9], replace(plain[9], marginal=1), *plain[10:]])
    assert (leaves.first_difference(changed), leaves == changed) == (9, False)
    assert np.array_equal(leaves.ids, [one.account for one in plain])
