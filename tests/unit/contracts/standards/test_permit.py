"""ERC-2612 permits of the insurance fund's shares, against golden signatures of a devnet key."""

import boa
import pytest

from tests.support.clearing import source
from tests.vectors import generate, messages, signing

VECTORS = generate.load("permits")


@pytest.fixture
def fund(deployed):
    contracts, _, _ = deployed
    with boa.env.anchor():
        boa.env.evm.patch.chain_id = messages.CHAIN_ID
        boa.env.evm.patch.timestamp = messages.EXPIRY
        yield source("liquidation/InsuranceFund").deploy(
            contracts.vault.address, 10**17, 7 * 86_400, override_address=signing.FUND
        )


def arguments(vector):
    r, s = (bytes.fromhex(vector[name][2:]) for name in ("r", "s"))
    return vector["owner"], vector["spender"], vector["value"], vector["deadline"], vector["v"], r, s


def test_permit__vectors_in_the_order_of_their_nonces__give_each_allowance(fund):
    for vector in VECTORS:
        assert fund.nonces(signing.OWNER) == vector["nonce"]
        fund.permit(*arguments(vector))
        assert fund.allowance(signing.OWNER, vector["spender"]) == vector["value"]


def test_permit__twice__reverts(fund):
    fund.permit(*arguments(VECTORS[0]))

    with boa.reverts("erc20: invalid signature"):
        fund.permit(*arguments(VECTORS[0]))


def test_permit__after_the_deadline__reverts(fund):
    boa.env.evm.patch.timestamp = messages.EXPIRY + 1

    with boa.reverts("erc20: expired deadline"):
        fund.permit(*arguments(VECTORS[0]))


def test_permit__another_chain__reverts(fund):
    boa.env.evm.patch.chain_id = 2

    with boa.reverts("erc20: invalid signature"):
        fund.permit(*arguments(VECTORS[0]))
