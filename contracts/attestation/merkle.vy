# pragma version 0.4.3
"""
@title Merkle proofs over sorted pairs
@license AGPL-3.0-only
@notice A node is the keccak of its two children, the smaller first, so a proof needs no positions. Leaves are hashed
        twice (`typed_data._leaf`), so no node passes for a leaf. The Python twin is `keeper/attestation/merkle.py`.
"""

from ..units import constants as c


@internal
@pure
def _node(a: bytes32, b: bytes32) -> bytes32:
    """
    @notice The parent of two nodes, in either order.
    """
    if convert(a, uint256) < convert(b, uint256):
        return keccak256(concat(a, b))
    return keccak256(concat(b, a))


@internal
@pure
def _root_from(leaf: bytes32, proof: DynArray[bytes32, c.MAX_PROOF]) -> bytes32:
    """
    @notice The root that a proof leads to. The caller compares it with one it trusts, which is never zero.
    @param leaf Leaf, hashed twice.
    @param proof Siblings from the leaf upwards.
    @return The root.
    """
    node: bytes32 = leaf
    for sibling: bytes32 in proof:
        node = self._node(node, sibling)
    return node
