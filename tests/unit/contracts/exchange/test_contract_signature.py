"""Owners that are contracts (ERC-1271), honest and hostile."""

import boa
import pytest

from keeper.exchange.order import contract_signature
from keeper.units.constants import SCOPE_TRADE, SCOPE_WITHDRAW

from .conftest import MAKER

HONEST, REVERTING, SILENT, LONG, ENDLESS, WRITING, WRONG = range(7)
REST = b"\x07" * 65


@pytest.fixture
def wallet(pair):
    """Owns the maker's account; every order of the maker carries its signature."""
    wallet = boa.load("contracts/mocks/MockWallet.vy")
    pair.venue.set_owner(MAKER, wallet.address)
    key_signs = pair.sign

    def sign(order, role):
        if role != "maker":
            return key_signs(order, role)
        wallet.sign(pair.exchange.digest(order.struct_hash()), REST)
        return contract_signature(wallet.address, REST)

    pair.sign = sign
    return wallet


def test_contract__owner__signs(pair, wallet):
    pair.fill()

    assert pair.venue.last().makerSigner == wallet.address


def test_contract__operator_for_trades__signs(pair, wallet):
    pair.venue.set_owner(MAKER, "0x" + "22" * 20)
    pair.venue.set_operator(MAKER, wallet.address, SCOPE_WITHDRAW)
    with boa.reverts("clearing: signer may not trade"):
        pair.fill()
    pair.venue.set_operator(MAKER, wallet.address, SCOPE_TRADE)
    pair.fill()


@pytest.mark.parametrize("mode", [REVERTING, SILENT, ENDLESS, WRITING, WRONG])
def test_contract__hostile__has_not_signed(pair, wallet, mode):
    wallet.set_mode(mode)
    with boa.reverts("exchange: contract has not signed"):
        pair.fill()

    assert wallet.calls() == 0
    wallet.set_mode(HONEST)
    pair.fill()


def test_contract__long_answer__is_cut(pair, wallet):
    wallet.set_mode(LONG)
    pair.fill()

    assert pair.venue.trades() == 1


def test_contract__endless__cannot_take_more_gas_than_its_share(pair, wallet):
    pair.fill()
    honest = pair.exchange._computation.get_gas_used()
    wallet.set_mode(ENDLESS)
    with boa.reverts("exchange: contract has not signed"):
        pair.fill(nonce=1)

    assert pair.exchange._computation.get_gas_used() < honest + 400_000


def test_contract__signature_of_another_order__reverts(pair, wallet):
    pair.sign = lambda order, role, sign=pair.sign: (
        contract_signature(wallet.address, REST) if role == "maker" else sign(order, role)
    )
    with boa.reverts("exchange: contract has not signed"):
        pair.fill()


@pytest.mark.parametrize("signer", ["0x" + "33" * 20, *(f"0x{n:040x}" for n in range(10))])
def test_contract__no_code_or_precompile__has_not_signed(pair, signer):
    pair.sign = lambda order, role: contract_signature(signer, REST)
    with boa.reverts("exchange: contract has not signed"):
        pair.fill()


@pytest.mark.parametrize("length", [0, 1, 19])
def test_signature__shorter_than_an_address__reverts(pair, length):
    pair.sign = lambda order, role: b"\x11" * length
    with boa.reverts("exchange: signature too short"):
        pair.fill()


def test_signature__of_nobody__reverts(pair):
    pair.sign = lambda order, role: b"\xff" * 32 + b"\x01" * 32
    with boa.reverts("ecdsa: invalid signature"):
        pair.fill()


def test_signature__contract_without_more__is_asked(pair, wallet):
    """Twenty bytes are an address and an empty signature."""
    pair.sign = lambda order, role, sign=pair.sign: (
        contract_signature(wallet.address, b"") if role == "maker" else sign(order, role)
    )
    wallet.sign(pair.exchange.digest(pair.maker.struct_hash()), b"")
    pair.fill()
