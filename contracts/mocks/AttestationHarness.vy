# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Exposes the typed data and Merkle modules to tests
@license AGPL-3.0-only
@notice Test only.
@custom:security None.
@custom:kill Stateless: nothing to switch off.
"""

from ..units import constants as c
from ..interfaces import IAttestation
from ..attestation import merkle
from ..attestation import typed_data


@external
@pure
def epoch_hash(epoch: IAttestation.Epoch) -> bytes32:
    """
    @notice Struct hash of an epoch, as RiskOracle comes to it from what it is given and what it knows.
    """
    return keccak256(abi_encode(typed_data.EPOCH_TYPEHASH, epoch))


@external
@pure
def margin_hash(leaf: IAttestation.MarginLeaf) -> bytes32:
    """
    @notice See `typed_data._margin_hash`.
    """
    return typed_data._margin_hash(leaf)


@external
@pure
def instrument_hash(leaf: IAttestation.InstrumentLeaf) -> bytes32:
    """
    @notice See `typed_data._instrument_hash`.
    """
    return typed_data._instrument_hash(leaf)


@external
@pure
def forward_hash(leaf: IAttestation.ForwardLeaf) -> bytes32:
    """
    @notice See `typed_data._forward_hash`.
    """
    return typed_data._forward_hash(leaf)


@external
@pure
def reports_hash(
    epoch: uint64,
    action: bytes32,
    deadline: uint64,
    leaves: DynArray[IAttestation.MarginLeaf, 2],
) -> bytes32:
    """
    @notice See `typed_data._reports_hash`.
    """
    margins: DynArray[bytes32, 2] = []
    for margin: IAttestation.MarginLeaf in leaves:
        margins.append(typed_data._margin_hash(margin))
    return typed_data._reports_hash(epoch, action, deadline, margins)


@external
@pure
def withdrawal_hash(
    account: uint256,
    token: address,
    amount: uint256,
    recipient: address,
    nonce: uint64,
) -> bytes32:
    """
    @notice See `typed_data._withdrawal_hash`.
    """
    return typed_data._withdrawal_hash(account, token, amount, recipient, nonce)


@external
@pure
def leaf(struct_hash: bytes32) -> bytes32:
    """
    @notice See `typed_data._leaf`.
    """
    return typed_data._leaf(struct_hash)


@external
@pure
def node(a: bytes32, b: bytes32) -> bytes32:
    """
    @notice See `merkle._node`.
    """
    return merkle._node(a, b)


@external
@pure
def root_from(leaf: bytes32, proof: DynArray[bytes32, c.MAX_PROOF]) -> bytes32:
    """
    @notice See `merkle._root_from`.
    """
    return merkle._root_from(leaf, proof)
