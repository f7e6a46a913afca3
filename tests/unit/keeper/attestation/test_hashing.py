"""Keccak of many messages at once is that of each."""

import numpy as np
import pytest
from eth_utils.crypto import keccak

from keeper.attestation.hashing import keccak_ragged, keccak_rows, parent_rows
from keeper.attestation.merkle import Tree, node, root_from

RANDOM = np.random.default_rng(1)


# a block has 136 bytes: sizes below, at and above one and two of them
@pytest.mark.parametrize("size", [8, 32, 64, 128, 136, 144, 264, 272, 280, 416, 1_000])
@pytest.mark.parametrize("count", [1, 33, 100])
def test_keccak_rows__any_size_and_number__as_the_library(size: int, count: int) -> None:
    rows = RANDOM.integers(0, 256, (count, size), dtype=np.uint8)
    assert [row.tobytes() for row in keccak_rows(rows)] == [keccak(row.tobytes()) for row in rows]


@pytest.mark.parametrize("threads", [1, 2])
def test_keccak_ragged__messages_of_many_sizes__as_the_library(threads: int) -> None:
    sizes = RANDOM.integers(0, 60, 2_000) * 8
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    content = RANDOM.integers(0, 256, indptr[-1], dtype=np.uint8)
    found = keccak_ragged(content, indptr, threads)
    for i in range(len(sizes)):
        assert found[i].tobytes() == keccak(content[indptr[i] : indptr[i + 1]].tobytes())


def test_keccak_rows__nothing__nothing() -> None:
    assert keccak_rows(np.zeros((0, 64), dtype=np.uint8)).shape == (0, 32)


@pytest.mark.parametrize("count", [2, 3, 63, 64, 65, 501])
def test_parent_rows__pairs__smaller_first_and_the_odd_one_stays(count: int) -> None:
    nodes = RANDOM.integers(0, 256, (count, 32), dtype=np.uint8)
    # alike in all but one byte, at every place: the first byte that differs decides
    for pair in range(count // 2):
        nodes[2 * pair + 1] = nodes[2 * pair]
        nodes[2 * pair + 1, pair % 32] ^= RANDOM.integers(1, 256, dtype=np.uint8)
    plain = [one.tobytes() for one in nodes]
    expected = [node(plain[i], plain[i + 1]) for i in range(0, count - 1, 2)]
    assert [one.tobytes() for one in parent_rows(nodes)] == expected + plain[2 * (count // 2) :]


def test_tree__a_thousand_leaves_with_common_beginnings__proofs_lead_to_the_root() -> None:
    """The first eight bytes decide the order of most leaves: here they do not."""
    leaves = RANDOM.integers(0, 256, (1_000, 32), dtype=np.uint8)
    leaves[:, :8] = RANDOM.integers(0, 2, (1_000, 1), dtype=np.uint8)
    tree = Tree(leaves)
    assert tree.root == Tree(one.tobytes() for one in leaves[::-1]).root
    for one in leaves[::97]:
        assert root_from(one.tobytes(), tree.proof(one.tobytes())) == tree.root
