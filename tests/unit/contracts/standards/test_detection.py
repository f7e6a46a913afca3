"""ERC-165 and ERC-5267: what a wallet or an explorer asks before it shows or signs anything."""

import boa
import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from keeper.attestation.typed_data import domain_separator
from tests.support.clearing import source

WHOLE_DOMAIN = b"\x0f"  # name, version, chain id and contract; neither salt nor extensions
ERC20 = (
    "totalSupply()",
    "balanceOf(address)",
    "transfer(address,uint256)",
    "allowance(address,address)",
    "approve(address,uint256)",
    "transferFrom(address,address,uint256)",
)
ERC4626 = (
    "asset()",
    "totalAssets()",
    "convertToShares(uint256)",
    "convertToAssets(uint256)",
    "deposit(uint256,address)",
    "mint(uint256,address)",
    "withdraw(uint256,address,address)",
    "redeem(uint256,address,address)",
    *(f"preview{action}(uint256)" for action in ("Deposit", "Mint", "Withdraw", "Redeem")),
    *(f"max{action}(address)" for action in ("Deposit", "Mint", "Withdraw", "Redeem")),
)
PERMIT = (
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "nonces(address)",
    "DOMAIN_SEPARATOR()",
)


def selector(text):
    return int.from_bytes(keccak(text=text)[:4], "big")


def interface(*functions):
    """Identifier of an interface: its selectors, combined."""
    found = 0
    for function in functions:
        found ^= selector(function)
    return found.to_bytes(4, "big")


ERC165_ID = interface("supportsInterface(bytes4)")
ERC5267_ID = interface("eip712Domain()")
SUPPORTED = {
    "exchange": (ERC165_ID, ERC5267_ID),
    "quorum": (ERC165_ID, ERC5267_ID),
    "fund": (ERC165_ID, ERC5267_ID, interface(*ERC20), interface(*PERMIT), interface(*ERC4626)),
}
DOMAINS = {
    "exchange": ("Plimsoll", "1"),
    "quorum": ("Plimsoll", "1"),
    "fund": ("Plimsoll Insurance Fund", "1"),
}


@pytest.fixture(scope="module")
def signing(deployed):
    contracts, exchange, _ = deployed
    with boa.env.prank(contracts.owner):
        fund = source("liquidation/InsuranceFund").deploy(contracts.vault.address, 10**17, 7 * 86_400)
    return {"exchange": exchange, "quorum": contracts.quorum, "fund": fund}


@pytest.mark.parametrize(("name", "identifier"), [(n, i) for n, ids in SUPPORTED.items() for i in ids])
def test_supports_interface__implemented__is_true(signing, name, identifier):
    assert signing[name].supportsInterface(identifier) is True


@pytest.mark.parametrize("name", SUPPORTED)
@pytest.mark.parametrize("identifier", [b"\xff" * 4, bytes(4), interface(*ERC20[:2]), b"\x80\xac\x58\xcd"])
def test_supports_interface__anything_else__is_false(signing, name, identifier):
    assert signing[name].supportsInterface(identifier) is False


def test_identifiers__are_those_of_the_standards():
    assert (ERC165_ID.hex(), ERC5267_ID.hex()) == ("01ffc9a7", "84b0196e")
    assert (interface(*ERC20).hex(), interface(*PERMIT).hex()) == ("36372b07", "9d8ff7da")


@pytest.mark.parametrize("name", DOMAINS)
def test_eip712_domain__every_signing_contract__tells_what_it_hashes(signing, name):
    contract, chain_id = signing[name], boa.env.evm.patch.chain_id
    fields, title, version, chain, verifying, salt, extensions = contract.eip712Domain()

    assert (fields, salt, extensions) == (WHOLE_DOMAIN, bytes(32), [])
    assert (title, version, chain, verifying) == (*DOMAINS[name], chain_id, contract.address)
    if name == "fund":
        assert contract.DOMAIN_SEPARATOR() == separator_of(title, version, chain, verifying)
    else:
        struct_hash = keccak(text="anything")
        expected = keccak(b"\x19\x01" + domain_separator(chain, verifying) + struct_hash)
        assert contract.digest(struct_hash) == expected


def separator_of(title, version, chain, verifying):
    domain = {"name": title, "version": version, "chainId": chain, "verifyingContract": verifying}
    return encode_typed_data(domain, {"Empty": []}, {}).header
