"""Turns: everybody computes the same order, everybody comes first sometimes, and numbers never collide."""

from collections import Counter

import pytest
from eth_utils.crypto import keccak

from keeper.chain.keys import signer_of
from keeper.jobs.rota import HOLD_SECONDS, Rota, order

ALL = [signer_of(bytes([i]) * 32).address for i in (1, 2, 3, 4)]


def test_order__whatever_the_list__the_same_permutation() -> None:
    for number in range(20):
        found = order(ALL, number)
        assert sorted(found) == sorted(ALL)
        assert order(ALL[::-1], number) == found


def test_order__many_epochs__everybody_is_on_duty_about_as_often() -> None:
    first = Counter(order(ALL, number)[0] for number in range(2_000))
    assert set(first) == set(ALL) and all(400 < count < 600 for count in first.values())


def test_order__as_computed_elsewhere() -> None:
    """keccak256(number as 8 bytes, address), ascending: another program finds the same order."""
    for number in (0, 7, 2**63):
        drawn = {address: keccak(hexstr=f"{number:016x}{address[2:]}") for address in ALL}
        assert order(ALL, number) == sorted(ALL, key=drawn.__getitem__)


def test_is_turn__back_ups__wait_a_stage_longer_each() -> None:
    rotas = {address: Rota(address, ALL, stage_seconds=10) for address in ALL}
    for stage, address in enumerate(order(ALL, 41)):
        rota = rotas[address]
        assert rota.stage(41) == stage
        held = HOLD_SECONDS * stage
        assert rota.is_turn(41, 10 * stage, held)
        assert stage == 0 or not rota.is_turn(41, 10 * stage - 1, held)
        assert stage == 0 or not rota.is_turn(41, 3_600, held - 0.01), "a block came an hour late"


def test_next_number__of_several_proposers__never_the_same_and_always_higher() -> None:
    taken: dict[int, str] = {}
    for address in ALL:
        rota, used = Rota(address, ALL), 100
        for _ in range(50):
            found = rota.next_number(used)
            assert used < found <= used + len(ALL)
            assert taken.setdefault(found, address) == address
            used = found


def test_next_number__the_only_proposer__the_next_one() -> None:
    assert [Rota(ALL[0]).next_number(n) for n in (0, 1, 99)] == [1, 2, 100]


def test_rota__addresses_in_lower_case__are_the_same_ones() -> None:
    assert Rota(ALL[0].lower(), [a.lower() for a in ALL]).stage(5) == Rota(ALL[0], ALL).stage(5)


def test_rota__own_key_is_not_among_them__says_so() -> None:
    with pytest.raises(ValueError, match="the key of this process, is not among them"):
        Rota(ALL[0], ALL[1:])
