# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title A wallet that is a contract, held by one key at a time
@license AGPL-3.0-only
@notice Tests only. Executes what its key asks for, signs by that key (ERC-1271), and lets it be replaced.
"""

from snekmate.utils import ecdsa

_MAGIC: constant(bytes4) = 0x1626ba7e
_INVALID: constant(bytes4) = 0xffffffff

key: public(address)


@deploy
def __init__(key: address):
    """
    @param key Address of the first key.
    """
    self.key = key


@external
def rotate(key: address):
    """
    @notice Another key from now on: what the old one signed is void.
    """
    assert msg.sender == self.key, "wallet: not the key"
    self.key = key


@external
def execute(target: address, data: Bytes[16384]):
    """
    @notice Calls a contract in the wallet's name.
    """
    assert msg.sender == self.key, "wallet: not the key"
    raw_call(target, data)


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes4:
    """
    @param digest Signed.
    @param signature r, s, v of the key.
    @return The magic value of ERC-1271 where the key has signed.
    """
    signer: address = ecdsa._recover_sig(digest, signature)

    return _MAGIC if signer == self.key else _INVALID
