from typing import Any

import boa
import pytest
from eth_utils.crypto import keccak

from keeper.attestation.epoch import posted_spots
from keeper.attestation.merkle import Tree, node
from tests.support.keys import ATTESTER_KEYS, ATTESTERS
from tests.unit.contracts.attestation.conftest import (
    LIMITS,
    METHODOLOGY,
    SPOTS,
    START,
    USD,
    ZERO,
    Feed,
    block_hash,
    words,
)

UNKNOWN = keccak(text="unknown methodology")
WRONG_SIGNER = "quorum: wrong signer"
LAST_NUMBER, LAST_SEQ = 2**40 - 1, 2**32 - 1
# a contract in a quorum's place: its threshold, and its word for signatures
QUORUM_OF = """
struct Signature:
    r: bytes32
    vs: uint256
struct Signatures:
    bitmap: uint256
    compact: DynArray[Signature, 32]

threshold: public(uint256)
answer: bool
@deploy
def __init__(threshold: uint256, answer: bool):
    self.threshold = threshold
    self.answer = answer
@external
@view
def require_signed(struct_hash: bytes32, signatures: Signatures) -> bool:
    return self.answer
"""
HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"
SYSTEM = "0xfffffffffffffffffffffffffffffffffffffffe"
# the code of EIP-2935
HISTORY_CODE = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311"
    "604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
)


def refused(feed: Feed, reason: str, **changes: Any) -> None:
    """The next epoch, wrong in one way but signed."""
    given = words(*feed.effective())
    with boa.reverts(reason):
        feed.send(feed.epoch(given, **changes), given)


def test_post_epoch__first__becomes_the_latest(feed):
    epoch = feed.post(2_010 * USD, SPOTS[1])
    header = feed.oracle.header()

    assert (header.number, header.previous, header.timestamp) == (1, 0, START + 15)
    assert (header.blockNumber, header.postedBlock) == (1_003, 1_004)
    assert (header.outside, header.tenAge, header.hourAge) == (0, 15, 15)
    assert feed.effective() == [2_010 * USD, SPOTS[1]]
    assert feed.oracle.is_usable(1) and feed.oracle.is_fresh()
    assert epoch.number == 1


def test_post_epoch__accepted__logs_what_was_signed(feed):
    epoch = feed.post()
    (event,) = [e for e in feed.oracle.get_logs() if type(e).__name__ == "EpochPosted"]

    assert event.number == epoch.number
    assert event.seq == feed.oracle.header().seq
    assert event.snapshotHash == epoch.snapshot_hash
    assert (event.marketRoot, event.marginRoot) == (epoch.market_root, epoch.margin_root)


def test_post_epoch__number_already_used__is_refused(feed):
    feed.post(number=7)
    feed.wait()
    refused(feed, "oracle: number not above the latest", number=7)


def test_post_epoch__number__may_skip_65535_but_no_more(feed):
    refused(feed, "oracle: number too far ahead", number=65_536)
    feed.post(number=65_535)

    assert feed.oracle.header().number == 65_535


def test_post_epoch__older_than_the_latest__is_refused(feed):
    feed.post()
    feed.wait()
    refused(feed, "oracle: timestamp before the latest", timestamp=START + 14)
    feed.post(timestamp=START + 15)


def test_post_epoch__before_the_underlyings__is_refused(feed):
    refused(feed, "oracle: timestamp before the latest", timestamp=START - 1)


def test_post_epoch__from_the_future__is_refused(feed):
    refused(feed, "oracle: timestamp in the future", timestamp=START + 16)


def test_post_epoch__age__may_be_the_largest_but_no_more(feed):
    feed.wait(seconds=106)
    refused(feed, "oracle: epoch too old", timestamp=START)
    feed.post(timestamp=START + 1)


def test_post_epoch__three_blocks_after_another__is_too_soon(feed):
    feed.post()
    feed.wait(blocks=3)
    refused(feed, "oracle: too soon")
    feed.wait(blocks=1)
    feed.post()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1_004, "oracle: block not in the past"),
        (1_005, "oracle: block not in the past"),
        (0, "oracle: block hash unknown"),
    ],
)
def test_post_epoch__block_not_of_the_recent_past__is_refused(feed, number, reason):
    refused(feed, reason, block_number=number)


def test_post_epoch__block_before_the_latest_epochs__is_refused(feed):
    feed.post(block_number=1_002)
    feed.wait()
    refused(feed, "oracle: block before the latest", block_number=1_001)
    feed.post(block_number=1_002)


def test_post_epoch__block_of_another_chain__is_refused(feed):
    refused(feed, WRONG_SIGNER, block_hash=keccak(text="fork"))


def test_post_epoch__block_beyond_256__needs_the_history_contract(feed):
    feed.wait(blocks=300)
    refused(feed, "oracle: block hash unknown", block_number=1_010)
    refused(feed, "oracle: block hash unknown", block_number=1_010, block_hash=b"\x00" * 32)
    boa.env.evm.patch.block_number = 1_011
    boa.env.set_code(HISTORY, HISTORY_CODE)
    boa.env.raw_call(HISTORY, sender=SYSTEM, data=block_hash(1_010))
    boa.env.evm.patch.block_number = 1_304

    feed.post(block_number=1_010)

    assert feed.oracle.header().blockNumber == 1_010


def test_post_epoch__block_older_than_the_header_can_tell__is_refused(feed):
    feed.wait(blocks=16_384)
    refused(feed, "oracle: block too old", block_number=1_003)


def test_post_epoch__methodology_not_registered__is_refused(feed):
    refused(feed, "oracle: methodology not registered", methodology_hash=UNKNOWN)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_post_epoch__not_one_spot_per_underlying__is_refused(feed, count):
    given = words(*[*SPOTS, USD][:count])
    with boa.reverts("oracle: wrong number of spots"):
        feed.send(feed.epoch(given), given)


def test_post_epoch__spots_unlike_the_signed_ones__is_refused(feed):
    epoch = feed.epoch(words(2_010 * USD, SPOTS[1]))
    with boa.reverts(WRONG_SIGNER):
        feed.send(epoch, words(2_011 * USD, SPOTS[1]))


@pytest.mark.parametrize("root", ["market_root", "margin_root"])
def test_post_epoch__zero_root__is_refused(feed, root):
    refused(feed, "oracle: zero root", **{root: b"\x00" * 32})


def test_post_epoch__changed_after_signing__is_refused(feed):
    given = words(*SPOTS)
    signed = feed.sign(feed.epoch(given))
    with boa.reverts("quorum: wrong signer"):
        feed.oracle.post_epoch(feed.epoch(given, margin_root=UNKNOWN).posting(), posted_spots(given), signed)


def test_post_epoch__two_signatures__are_too_few(feed):
    given = words(*SPOTS)
    epoch = feed.epoch(given)
    two = {i: ATTESTER_KEYS[i] for i in range(2)}
    with boa.reverts("quorum: too few signatures"):
        feed.oracle.post_epoch(epoch.posting(), posted_spots(given), feed.sign(epoch, two))


def test_post_epoch__after_a_quorum_switch__old_signatures_are_void(feed):
    given = words(*SPOTS)
    epoch = feed.epoch(given)
    signed = feed.sign(epoch)
    same_set = boa.load("contracts/attestation/AttesterQuorum.vy", list(ATTESTERS), 3)
    feed.oracle.set_quorum(same_set.address)
    with boa.reverts("quorum: wrong signer"):
        feed.oracle.post_epoch(epoch.posting(), posted_spots(given), signed)
    feed.quorum = same_set
    feed.send(epoch, given)


def test_is_usable__previous_after_a_small_move__for_two_blocks(feed):
    feed.post()
    feed.wait()
    feed.post(2_010 * USD, SPOTS[1])  # a quarter of 200 basis points

    assert [feed.oracle.is_usable(n) for n in range(4)] == [False, True, True, False]
    feed.wait(blocks=2)
    assert feed.oracle.is_usable(1)
    feed.wait(blocks=1)
    assert not feed.oracle.is_usable(1) and feed.oracle.is_usable(2)


def test_is_usable__previous_after_a_larger_move__never(feed):
    feed.post()
    feed.wait()
    feed.post(2_010 * USD + 1, SPOTS[1])

    assert not feed.oracle.is_usable(1)


def test_is_usable__number_skipped__was_never_an_epoch(feed):
    feed.post(number=5)
    feed.wait()
    feed.post(number=9)

    assert [n for n in range(12) if feed.oracle.is_usable(n)] == [5, 9]


def test_is_fresh__stale_after_three_minutes(feed):
    assert not feed.oracle.is_fresh()
    feed.post()
    feed.wait(seconds=180)
    assert feed.oracle.is_fresh()
    feed.wait(seconds=1)
    assert not feed.oracle.is_fresh()


def test_require_in_epoch__leaf_of_either_tree__passes(feed):
    market = Tree([keccak(text=f"instrument {i}") for i in range(5)])
    margin = Tree([keccak(text=f"account {i}") for i in range(3)])
    feed.post(market_root=market.root, margin_root=margin.root)
    one, other = keccak(text="instrument 4"), keccak(text="account 1")

    assert feed.oracle.require_in_epoch(1, one, [*market.proof(one), margin.root])
    assert feed.oracle.require_in_epoch(1, other, [*margin.proof(other), market.root])
    with boa.reverts("oracle: not in the epoch"):
        feed.oracle.require_in_epoch(1, one, market.proof(one))
    with boa.reverts("oracle: not in the epoch"):
        feed.oracle.require_in_epoch(1, keccak(text="account 3"), [*margin.proof(other), market.root])
    with boa.reverts("oracle: proof too short"):
        feed.oracle.require_in_epoch(1, node(market.root, margin.root), [])


def test_require_in_epoch__each_usable_epoch__has_its_own_root(feed):
    roots = [keccak(text=f"root {i}") for i in range(3)]
    for root in roots:
        feed.post(margin_root=root)
        feed.wait(blocks=4)
    other = [feed.epoch(words(*SPOTS)).market_root]
    boa.env.evm.patch.block_number -= 2

    assert feed.oracle.require_in_epoch(3, roots[2], other)
    assert feed.oracle.require_in_epoch(2, roots[1], other)
    with boa.reverts("oracle: not in the epoch"):
        feed.oracle.require_in_epoch(2, roots[2], other)
    with boa.reverts("oracle: epoch not usable"):
        feed.oracle.require_in_epoch(1, roots[0], other)


def test_conditions__two_epochs__are_usable_together(feed):
    assert tuple(feed.oracle.conditions((1, 1))) == (False, 0, False)
    feed.post()
    feed.wait()
    feed.follow(2_100 * USD, 2_040 * USD)

    # the move was too large for the first to stay
    assert tuple(feed.oracle.conditions((2, 2))) == (True, 1, True)
    assert tuple(feed.oracle.conditions((2, 1))) == (True, 1, False)
    assert tuple(feed.oracle.conditions((1, 2))) == (True, 1, False)


def test_set_methodology__another__voids_what_names_the_first(feed):
    given = words(*SPOTS)
    before = feed.epoch(given)
    feed.oracle.set_methodology(UNKNOWN)
    (event,) = [e for e in feed.oracle.get_logs() if type(e).__name__ == "MethodologySet"]

    assert event.methodologyHash == UNKNOWN
    assert feed.oracle.is_registered(UNKNOWN) and not feed.oracle.is_registered(METHODOLOGY)
    with boa.reverts("oracle: methodology not registered"):
        feed.send(before, given)
    feed.post(methodology_hash=UNKNOWN)


def test_set_methodology__zero__is_refused(feed):
    with boa.reverts("oracle: zero methodology"):
        feed.oracle.set_methodology(b"\x00" * 32)


def test_set_limits__once_there_is_a_methodology__bind_the_next_epoch(feed):
    feed.oracle.set_limits((10, 180, 600, 4))

    refused(feed, "oracle: epoch too old", timestamp=START)
    assert tuple(feed.oracle.limits()) == (10, 180, 600, 4)
    assert feed.oracle.underlying_count() == 2


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ((0, 180, 600, 4), "oracle: bad max age"),
        ((3_601, 180, 600, 4), "oracle: bad max age"),
        ((120, 0, 600, 4), "oracle: bad staleness"),
        ((120, 3_601, 3_601, 4), "oracle: bad staleness"),
        ((120, 601, 600, 4), "oracle: bad staleness"),
        ((120, 180, 86_401, 4), "oracle: bad staleness"),
        ((120, 180, 600, 65_536), "oracle: bad distance"),
    ],
)
def test_set_limits__out_of_bounds__is_refused(feed, limits, reason):
    with boa.reverts(reason):
        feed.oracle.set_limits(limits)


def test_set_quorum__what_is_no_quorum__is_refused(feed, outsider):
    with boa.reverts("oracle: quorum is no contract"):
        feed.oracle.set_quorum(outsider)
    with boa.reverts():
        feed.oracle.set_quorum(feed.oracle.address)


def test_set_quorum__without_a_threshold__is_refused_at_deployment_and_later(feed):
    quorum = boa.loads(QUORUM_OF, 0, True)
    with boa.reverts("oracle: no quorum"):
        feed.oracle.set_quorum(quorum.address)
    with boa.reverts("oracle: no quorum"):
        boa.load("contracts/attestation/RiskOracle.vy", quorum.address, LIMITS, ZERO)


def test_post_epoch__quorum_says_no_instead_of_reverting__is_refused(feed):
    feed.oracle.set_quorum(boa.loads(QUORUM_OF, 1, False).address)
    refused(feed, "oracle: no quorum")
    feed.oracle.set_quorum(boa.loads(QUORUM_OF, 1, True).address)  # nothing else was in the way
    feed.post()


@pytest.mark.parametrize(
    ("number", "seq"), [(LAST_NUMBER, 0), (0, LAST_SEQ)], ids=["epoch numbers", "event numbers"]
)
def test_post_epoch__numbers_are_used_up__is_refused_and_does_not_wrap(feed, number, seq):
    """In 10**12 epochs: the oracle is replaced long before."""
    header = feed.oracle.eval("self._header") & ~(LAST_NUMBER << 80) & (2**222 - 1)
    feed.oracle.eval(f"self._header = {header | max(number - 1, 0) << 80 | (seq - (seq != 0)) << 222}")
    feed.post()
    feed.wait()

    refused(feed, "oracle: out of numbers")
    assert (feed.oracle.header().number, feed.oracle.header().seq) == (number or 1, seq or 1)


@pytest.mark.parametrize(
    ("bands", "reason"),
    [
        ((24, 500, 1_000), "oracle: band off 25 bp"),
        ((200, 501, 1_000), "oracle: band off 25 bp"),
        ((200, 500, 999), "oracle: band off 25 bp"),
        ((0, 500, 1_000), "oracle: bands not rising"),
        ((525, 500, 1_000), "oracle: bands not rising"),
        ((200, 1_025, 1_000), "oracle: bands not rising"),
        ((1_600, 1_600, 1_600), "oracle: band too wide"),
        ((1_575, 1_575, 3_200), "oracle: band too wide"),
    ],
)
def test_set_bands__out_of_range__is_refused_and_at_listing_too(feed, bands, reason):
    before = feed.oracle.bands(1)
    with boa.reverts(reason):
        feed.oracle.set_bands(1, bands)
    with boa.reverts(reason):
        feed.oracle.add_underlying(USD, bands)
    assert feed.oracle.bands(1) == before
    assert feed.oracle.underlying_count() == 2


def test_set_bands__unknown_underlying__is_refused(feed):
    for underlying in (0, 3, 33):
        with boa.reverts("oracle: unknown underlying"):
            feed.oracle.set_bands(underlying, (200, 500, 1_000))


@pytest.mark.parametrize("spot", [0, 2**56])
def test_add_underlying__price_out_of_range__is_refused(feed, spot):
    with boa.reverts("oracle: price out of range"):
        feed.oracle.add_underlying(spot, (200, 500, 1_000))


def test_add_underlying__more_than_32__is_refused(feed):
    for number in range(3, 33):
        assert feed.oracle.add_underlying(2**56 - 1, (200, 500, 1_000)) == number
    with boa.reverts("oracle: too many underlyings"):
        feed.oracle.add_underlying(USD, (200, 500, 1_000))


def test_set_bands__widest__are_kept(feed):
    widest = (1_575, 3_175, 3_175)
    feed.oracle.set_bands(1, widest)
    assert tuple(feed.oracle.bands(1)) == widest


def test_spot__unknown_underlying__is_zero(feed):
    for underlying in (0, 3, 33, 65_535):
        assert tuple(feed.oracle.spot(underlying)) == (0, 0, 0, 0)
    assert list(feed.oracle.effective_spots([1, 40])) == [SPOTS[0], 0]
