# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title AttesterQuorum
@license AGPL-3.0-only
@notice An immutable set of attesters: the address is the set. Changing the set is one switch to another contract, by
        which everything signed for this one dies (the EIP-712 domain names this address and the chain).
@custom:security More than half of the signers must sign. Bit i of the bitmap stands for signer i, so nobody counts twice.
@custom:kill The RiskOracle's owner points to another quorum.
"""

from snekmate.utils import eip712_domain_separator

initializes: eip712_domain_separator

from ..interfaces import IAttestation
from ..interfaces import IAttesterQuorum
from ..units import constants as c

implements: IAttesterQuorum

exports: eip712_domain_separator.eip712Domain

# half of the order of secp256k1: of the two values of s only the lower passes
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
PARITY_SHIFT: constant(uint256) = 255
S_MASK: constant(uint256) = 2**255 - 1

_SIGNERS: immutable(address[c.MAX_SIGNERS])
_COUNT: immutable(uint256)
_THRESHOLD: immutable(uint256)


@deploy
def __init__(signers: DynArray[address, c.MAX_SIGNERS], threshold: uint256):
    """
    @notice Fixes the set for ever.
    @param signers Distinct addresses, none zero.
    @param threshold Signatures needed, more than half of the signers.
    """
    assert (threshold * 2 > len(signers) and threshold <= len(signers)), "quorum: bad threshold"
    eip712_domain_separator.__init__("Plimsoll", "1")
    fixed: address[c.MAX_SIGNERS] = empty(address[c.MAX_SIGNERS])
    count: uint256 = 0
    for signer: address in signers:
        assert signer != empty(address), "quorum: zero signer"
        assert signer not in fixed, "quorum: duplicate signer"
        fixed[count] = signer
        count += 1
    _SIGNERS = fixed
    _COUNT = count
    _THRESHOLD = threshold


@external
@view
@reentrant
def require_signed(struct_hash: bytes32, signatures: IAttestation.Signatures) -> bool:
    """
    @notice Reverts unless enough attesters signed.
    @param struct_hash EIP-712 struct hash of what was signed.
    @param signatures In the order of the set bits of the bitmap.
    @return True.
    """
    count: uint256 = len(signatures.compact)
    assert count >= _THRESHOLD, "quorum: too few signatures"
    message: bytes32 = eip712_domain_separator._hash_typed_data_v4(struct_hash)
    remaining: uint256 = signatures.bitmap
    used: uint256 = 0
    for i: uint256 in range(_COUNT, bound=c.MAX_SIGNERS):
        if remaining & 1 != 0:
            assert used < count, "quorum: bitmap mismatch"
            vs: uint256 = signatures.compact[used].vs
            s: uint256 = vs & S_MASK
            assert s <= HALF_ORDER, "quorum: high s"
            signer: address = ecrecover(
                message,
                unsafe_add(27, vs >> PARITY_SHIFT),
                convert(signatures.compact[used].r, uint256),
                s,
            )
            # a signer is never zero, so neither is a failed recovery
            assert signer == _SIGNERS[i], "quorum: wrong signer"
            used = unsafe_add(used, 1)
        remaining >>= 1
    assert remaining == 0, "quorum: unknown signer"
    assert used == count, "quorum: bitmap mismatch"
    return True


@external
@view
@reentrant
def digest(struct_hash: bytes32) -> bytes32:
    """
    @notice What an attester signs.
    @param struct_hash EIP-712 struct hash.
    @return The digest under this contract's domain.
    """
    return eip712_domain_separator._hash_typed_data_v4(struct_hash)


@external
@view
@reentrant
def signers() -> DynArray[address, c.MAX_SIGNERS]:
    """
    @notice The set; position i is bit i of a bitmap.
    """
    result: DynArray[address, c.MAX_SIGNERS] = []
    for i: uint256 in range(_COUNT, bound=c.MAX_SIGNERS):
        result.append(_SIGNERS[i])
    return result


@external
@pure
@reentrant
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice ERC-165: itself and ERC-5267.
    """
    return interface_id in [0x01ffc9a7, 0x84b0196e]


@external
@view
@reentrant
def threshold() -> uint256:
    """
    @notice Signatures needed.
    """
    return _THRESHOLD
