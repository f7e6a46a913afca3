"""Proofs over sorted pairs: what leads to a root and what does not."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.attestation.merkle import Tree
from keeper.units.constants import MAX_PROOF

boa.interpret.set_cache_dir(".build/boa")
WORDS = st.binary(min_size=32, max_size=32)


@pytest.fixture(scope="module")
def merkle():
    return boa.load("contracts/mocks/AttestationHarness.vy")


def test_node__either_order__is_one_parent(merkle):
    @settings(max_examples=20, deadline=None)
    @given(WORDS, WORDS)
    def check(a, b):
        assert merkle.node(a, b) == merkle.node(b, a)

    check()


def test_root_from__no_siblings__is_the_leaf(merkle):
    assert merkle.root_from(b"\x01" * 32, []) == b"\x01" * 32


def test_root_from__every_leaf__leads_to_the_root_and_no_stranger_does(merkle):
    @settings(max_examples=20, deadline=None)
    @given(st.sets(WORDS, min_size=2, max_size=12))
    def check(words):
        *leaves, stranger = sorted(words)
        tree = Tree(leaves)
        for leaf in leaves:
            proof = list(tree.proof(leaf))
            assert merkle.root_from(leaf, proof) == tree.root
            assert merkle.root_from(stranger, proof) != tree.root

    check()


def test_root_from__inner_node_as_leaf__leads_to_the_root_so_leaves_are_hashed_twice(merkle):
    leaves = [bytes([i]) * 32 for i in range(1, 5)]
    tree = Tree(leaves)
    inner, sibling = merkle.node(*leaves[:2]), merkle.node(*leaves[2:])

    assert merkle.root_from(inner, [sibling]) == tree.root
    assert merkle.root_from(merkle.leaf(inner), [sibling]) != tree.root


def test_root_from__proof_too_long__reverts(merkle):
    with boa.reverts():
        merkle.root_from(b"\x01" * 32, [b"\x02" * 32] * (MAX_PROOF + 1))
