"""Trees: one root per set of leaves, a proof for every leaf."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.attestation.merkle import EMPTY_ROOT, Tree, node, root_from

LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


@given(LEAVES)
def test_proof__every_leaf__leads_to_the_root(leaves):
    tree = Tree(leaves)

    assert all(root_from(leaf, tree.proof(leaf)) == tree.root for leaf in leaves)


@given(LEAVES)
def test_root__leaves_in_another_order__is_the_same(leaves):
    assert Tree(reversed(leaves)).root == Tree(leaves).root


def test_root__no_leaves__is_the_empty_root():
    assert Tree([]).root == EMPTY_ROOT


def test_root__three_leaves__promotes_the_odd_one():
    a, b, c = (bytes([i]) * 32 for i in (1, 2, 3))

    assert Tree([c, a, b]).root == node(node(a, b), c)


def test_tree__duplicate_leaf__raises():
    with pytest.raises(ValueError, match="merkle: duplicate leaf"):
        Tree([bytes(32), bytes(32)])


def test_proof__stranger__raises():
    with pytest.raises(KeyError):
        Tree([bytes(32)]).proof(b"\x01" * 32)
