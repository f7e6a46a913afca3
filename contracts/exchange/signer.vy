# pragma version 0.4.3
"""
@title Who signed: a key or a contract
@license AGPL-3.0-only
@notice Stateless. A signature is 64 bytes of a key (EIP-2098), or the 20 bytes of a contract's address and then what its
        ERC-1271 function takes, which may not be 44 bytes long.
"""

# refuses high-s signatures and the zero signer
from snekmate.utils import ecdsa

MAX_BYTES: constant(uint256) = 1_044  # an address and 1,024 bytes
_KEY_BYTES: constant(uint256) = 64
_ADDRESS_BYTES: constant(uint256) = 20
# of a contract: enough for a threshold of keys or a P-256 key, too little to spoil a transaction of several orders
_CONTRACT_GAS: constant(uint256) = 400_000
_IS_VALID: constant(Bytes[4]) = method_id("isValidSignature(bytes32,bytes)")
# what a contract answers that has signed
_MAGIC: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000


@internal
@view
def _signer_of(digest: bytes32, signature: Bytes[MAX_BYTES]) -> address:
    """
    @notice Reverts unless somebody signed.
    @param digest What was signed.
    @param signature Of a key or a contract.
    @return Who.
    """
    signer: address = empty(address)
    if len(signature) == _KEY_BYTES:
        signer = ecdsa._try_recover_r_vs(
            digest, extract32(signature, 0, output_type=uint256), extract32(signature, 32, output_type=uint256)
        )
    else:
        assert len(signature) >= _ADDRESS_BYTES, "exchange: signature too short"
        signer = convert(slice(signature, 0, _ADDRESS_BYTES), address)
        rest: Bytes[MAX_BYTES] = slice(signature, _ADDRESS_BYTES, len(signature) - _ADDRESS_BYTES)
        assert self._has_signed(signer, digest, rest), "exchange: contract has not signed"

    return signer


@internal
@view
def _has_signed(signer: address, digest: bytes32, signature: Bytes[MAX_BYTES]) -> bool:
    """
    @dev The call cannot write, has a bound on gas, and of its answer 32 bytes are looked at.
    @param signer Contract; what has no code has not signed.
    @param digest What was signed.
    @param signature As the contract takes it.
    @return Whether it says so by ERC-1271.
    """
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        signer,
        abi_encode(digest, signature, method_id=_IS_VALID),
        max_outsize=32,
        gas=_CONTRACT_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )

    return success and len(answer) == 32 and extract32(answer, 0) == _MAGIC
