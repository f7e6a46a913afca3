"""A wallet that is a contract (ERC-1271) owns an account: deposits, orders, withdrawals, another key."""

from dataclasses import dataclass, replace
from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from keeper.exchange.order import Leg, Order, contract_signature, fill_arguments, mirrored, signature_bytes
from keeper.units import constants as c
from keeper.units.constants import WAD
from tests.support.clearing import PUT, USDC, Side, source
from tests.support.keys import address_for, key_of
from tests.support.statements import compact_signature

PRICE, CASH = 100 * WAD, 10 * WAD  # of a put, and of the tenth of it that is a unit of the orders


@dataclass
class Held:
    """An account of a wallet, and one of a key, with the same cash."""

    venue: Any
    wallet: Any
    account: int
    other: int

    def do(self, role: str, contract: Any, text: str, *values: Any) -> None:
        """The wallet calls a contract, at the word of a key."""
        types = WITHDRAW_TYPES if text == WITHDRAW else text[text.index("(") + 1 : -1].split(",")
        data = keccak(text=text)[:4] + encode(types, values)
        self.wallet.execute(contract.address, data, sender=address_for(key_of(role)))

    def order(self, account: int, quantity: int) -> Order:
        limit = CASH if quantity > 0 else -CASH
        expiry = boa.env.evm.patch.timestamp + 60
        return Order(account, (Leg(PUT, quantity),), 10, limit, WAD, 3, expiry)

    def digest(self, order: Order) -> bytes:
        return bytes(self.venue.exchange.digest(order.struct_hash()))

    def signed(self, order: Order, role: str) -> bytes:
        """By a key, in the wallet's name: r, s, v."""
        inner = Account.unsafe_sign_hash(self.digest(order), key_of(role)).signature
        return contract_signature(self.wallet.address, bytes(inner))

    def fill(self, maker: Order, signature: bytes) -> None:
        """One unit against the other account, by reports."""
        house, exchange = self.venue.house, self.venue.exchange
        taker = replace(maker, account=self.other, legs=mirrored(maker.legs), limit=-maker.limit)
        compact = compact_signature(1, exchange.address, taker.struct_hash(), key_of("other"))
        terms = fill_arguments(maker, signature, taker, signature_bytes(compact), 1, CASH, [PRICE], 0)
        worst = Side(c.WAY_WORST_CASE, [PUT])
        exchange.fill(*terms, Side(c.WAY_WORST_CASE, [PUT]).evidence(), worst.evidence(), house.statement())


WITHDRAW = "withdraw(uint256,address,uint256,address,(uint8,bytes),bytes)"
WITHDRAW_TYPES = ["uint256", "address", "uint256", "address", "(uint8,bytes)", "bytes"]


@pytest.fixture
def held(venue):
    house = venue.house
    wallet = source("mocks/MockSmartAccount").deploy(address_for(key_of("first")))
    account = int(house.clearing.open_account(wallet.address))
    other = int(house.clearing.open_account(address_for(key_of("other"))))
    house.owners |= {account: wallet.address, other: address_for(key_of("other"))}
    house.known.add(PUT)
    token = house.contracts.token
    found = Held(venue, wallet, account, other)
    token.mint(wallet.address, 5_000 * USDC)
    found.do("first", token, "approve(address,uint256)", house.vault.address, 5_000 * USDC)
    found.do("first", house.vault, "deposit(uint256,address,uint256)", account, token.address, 5_000 * USDC)
    house.deposit(other, 10_000 * USDC)
    house.post()
    return found


def test_wallet__owns_deposits_trades_and_withdraws(held):
    house, token = held.venue.house, held.venue.house.contracts.token
    assert house.clearing.account(held.account).owner == held.wallet.address

    order = held.order(held.account, WAD // 10)
    held.fill(order, held.signed(order, "first"))
    assert house.clearing.position(held.account, PUT).quantity == WAD // 10

    amount, recipient = 100 * USDC, boa.env.generate_address()
    evidence = Side(c.WAY_WORST_CASE, [PUT]).evidence()
    held.do("first", house.vault, WITHDRAW, held.account, token.address, amount, recipient, evidence, b"")
    assert token.balanceOf(recipient) == amount
    assert house.clearing.account(held.account).cash == 5_000 * WAD - CASH - 100 * WAD


def test_wallet__key_replaced__old_orders_die_and_the_new_key_signs(held):
    order = held.order(held.account, WAD // 10)
    old = held.signed(order, "first")
    held.wallet.rotate(address_for(key_of("second")), sender=address_for(key_of("first")))

    with boa.reverts("exchange: contract has not signed"):
        held.fill(order, old)
    with boa.reverts("wallet: not the key"):
        held.do("first", held.venue.house.contracts.token, "approve(address,uint256)", held.wallet.address, 1)

    held.fill(order, held.signed(order, "second"))
    assert held.venue.house.clearing.position(held.account, PUT).quantity == WAD // 10


def test_wallet__account_handed_to_a_key__the_wallet_may_no_more(held):
    house = held.venue.house
    order = held.order(held.account, WAD // 10)
    heir = address_for(key_of("heir"))
    held.do("first", house.clearing, "transfer_account(uint256,address)", held.account, heir)

    with boa.reverts("clearing: signer may not trade"):
        held.fill(order, held.signed(order, "first"))
    compact = compact_signature(1, held.venue.exchange.address, order.struct_hash(), key_of("heir"))
    held.fill(order, signature_bytes(compact))


def test_wallet__somebody_elses_wallet__does_not_sign_for_the_account(held):
    stranger = source("mocks/MockSmartAccount").deploy(address_for(key_of("stranger")))
    order = held.order(held.account, WAD // 10)
    inner = Account.unsafe_sign_hash(held.digest(order), key_of("stranger")).signature

    with boa.reverts("clearing: signer may not trade"):
        held.fill(order, contract_signature(stranger.address, bytes(inner)))
