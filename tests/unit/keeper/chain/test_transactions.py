"""Fees, bytes and words of refusal: what of transactions needs no chain."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.fees import Fees, Policy, first_fees, replacement_fees
from keeper.chain.keys import signer_of
from keeper.chain.node import CallError
from keeper.chain.transaction_codec import Transaction, decode, sign_transaction
from keeper.chain.transaction_errors import Refusal, classify
from keeper.units.constants import WAD

GWEI = 10**9
KEY = b"\1" * 32
WEI = st.integers(0, 10**15)


@given(st.builds(Fees, WEI, WEI), WEI, WEI, st.integers(0, 10**16))
def test_replacement_fees__both_rise_by_an_eighth_or_more_and_stay_under_the_cap(
    before: Fees, base_fee: int, tip: int, cap: int
) -> None:
    fees = replacement_fees(before, base_fee, tip, cap)
    if fees is None:
        assert before.max_fee * 9 > cap * 8 or before.tip * 9 > cap * 8
        return
    assert fees.max_fee * 8 >= before.max_fee * 9 and fees.tip * 8 >= before.tip * 9
    assert fees.tip <= fees.max_fee <= cap


@given(WEI, WEI, WEI)
def test_first_fees__cover_the_base_fee_or_are_not_paid(base_fee: int, tip: int, cap: int) -> None:
    fees = first_fees(base_fee, tip, cap)
    assert (fees is None) == (base_fee > cap)
    if fees is not None:
        assert base_fee <= fees.max_fee <= cap and fees.tip <= fees.max_fee


def test_cap__follows_the_value_at_risk_without_an_upper_end() -> None:
    policy = Policy(max_fee=500 * GWEI, value_share=WAD // 20, coin_usd=5_000 * WAD)
    assert policy.cap(0, 10**6) == 500 * GWEI
    # 5 % of 1,000,000 USD are 10 coins, over a million gas
    assert policy.cap(10**6 * WAD, 10**6) == 10 * 10**18 // 10**6
    assert policy.cap(10**8 * WAD, 10**6) == 100 * policy.cap(10**6 * WAD, 10**6) > policy.max_fee
    assert policy.cap(WAD, 10**6) == policy.floor_fee == 30 * GWEI, "a dollar is worth ordinary gas, no more"


def test_cooldown__doubles() -> None:
    policy = Policy(cooldown_seconds=4)
    assert [policy.cooldown(n) for n in (0, 1, 2, 3)] == [4, 8, 16, 32]


@given(
    st.integers(0, 2**32),
    st.integers(0, 2**40),
    WEI,
    WEI,
    st.integers(21_000, 10**7),
    st.binary(min_size=20, max_size=20),
    st.binary(max_size=100),
    st.integers(0, 2**128),
)
def test_sign_transaction__as_eth_account_does_and_back(
    chain_id: int, nonce: int, tip: int, max_fee: int, gas: int, target: bytes, data: bytes, value: int
) -> None:
    to, payload = "0x" + target.hex(), "0x" + data.hex()
    made = Transaction(chain_id, nonce, tip, max_fee, gas, to, payload, value)
    fields = {"type": 2, "chainId": chain_id, "nonce": nonce, "maxPriorityFeePerGas": tip}
    fields |= {"maxFeePerGas": max_fee, "gas": gas, "to": target, "data": data, "value": value}
    theirs = Account.sign_transaction(fields, KEY)
    hash, raw = sign_transaction(made, signer_of(KEY))
    assert bytes.fromhex(raw[2:]) == bytes(theirs.raw_transaction)
    assert bytes.fromhex(hash[2:]) == bytes(theirs.hash)
    assert decode(raw) == made


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("already known", Refusal.KNOWN),
        ("transaction already imported", Refusal.KNOWN),
        ("nonce too low: next nonce 7, tx nonce 6", Refusal.KNOWN),
        ("insufficient funds for gas * price + value: balance 1", Refusal.FUNDS),
        ("replacement transaction underpriced", Refusal.UNDERPRICED),
        ("max fee per gas less than block base fee: address 0x", Refusal.UNDERPRICED),
        ("FeeTooLow, MaxFeePerGas too low", Refusal.UNDERPRICED),
        ("txpool is full", Refusal.OTHER),
        ("nonce too high", Refusal.OTHER),
        ("something that nobody has seen before", Refusal.OTHER),
    ],
)
def test_classify__words_of_nodes(words: str, meaning: Refusal) -> None:
    assert classify(CallError(words)) == meaning
