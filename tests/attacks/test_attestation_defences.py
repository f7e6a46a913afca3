"""Signatures are good for one epoch of one quorum on one chain; a hostile quorum is held by the bands."""

from dataclasses import replace

import boa
import pytest

from keeper.attestation import bands
from keeper.attestation.epoch import posted_spots
from keeper.units.constants import BASIS_POINTS
from tests.support.keys import ATTESTER_KEYS, ATTESTERS
from tests.support.statements import quorum_signatures
from tests.unit.contracts.attestation import conftest as unit
from tests.unit.contracts.attestation.conftest import SPOTS, START, THREE, Feed, words

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
LOW_255 = 2**255 - 1
WRONG_SIGNER = "quorum: wrong signer"
BANDS = bands.Bands(*unit.BANDS)


@pytest.fixture(scope="module")
def started():
    """An oracle with two underlyings, on a chain of its own."""
    with boa.swap_env(boa.Env()):
        clock = boa.env.evm.patch
        clock.block_number, clock.timestamp, clock.prev_hashes = unit.BLOCK, START, unit.BlockHashes()
        clock.chain_id = 1
        yield another_oracle()


@pytest.fixture
def feed(started):
    """The oracle, 15 seconds old."""
    clock = boa.env.evm.patch
    clock.block_number, clock.timestamp, clock.chain_id = unit.BLOCK, START, 1
    with boa.env.anchor():
        fresh = Feed(started.oracle, started.quorum)
        fresh.wait()
        yield fresh


def another_quorum():
    """The same attesters at another address."""
    return boa.load("contracts/attestation/AttesterQuorum.vy", list(ATTESTERS), 3)


def another_oracle() -> Feed:
    quorum = another_quorum()
    oracle = boa.load("contracts/attestation/RiskOracle.vy", quorum.address, unit.LIMITS, unit.ZERO)
    for spot in SPOTS:
        oracle.add_underlying(spot, unit.BANDS)
    oracle.set_methodology(unit.METHODOLOGY)
    return Feed(oracle, quorum)


def refused(feed: Feed, reason: str, signatures, epoch=None) -> None:
    """The next epoch is refused with these signatures, changes nothing, and passes with honest ones."""
    given = words(*SPOTS)
    epoch = epoch or feed.epoch(given)
    before = feed.oracle.header()
    with boa.reverts(reason):
        feed.oracle.post_epoch(epoch.posting(), posted_spots(given), signatures)
    assert feed.oracle.header() == before
    with boa.env.anchor():
        feed.send(feed.epoch(given), given)


def test_epoch__signed_for_another_chain__is_refused(feed):
    struct = feed.epoch(words(*SPOTS)).struct_hash()
    other = boa.env.evm.patch.chain_id + 1
    refused(feed, WRONG_SIGNER, quorum_signatures(other, feed.quorum.address, struct, THREE))


def test_epoch__after_the_chain_split_off_with_another_id__is_refused(feed):
    signed = feed.sign(feed.epoch(words(*SPOTS)))
    boa.env.evm.patch.chain_id += 1
    refused(feed, WRONG_SIGNER, signed)


def test_epoch__signed_for_the_quorum_of_another_oracle__is_refused(feed):
    other = another_oracle()
    given = words(*SPOTS)
    epoch = other.epoch(given)
    signed = other.sign(epoch)
    refused(feed, WRONG_SIGNER, signed, epoch)
    other.wait()
    other.oracle.post_epoch(epoch.posting(), posted_spots(given), signed)  # where it was meant to go


def test_epoch__replayed__is_refused(feed):
    given = words(*SPOTS)
    epoch = feed.epoch(given)
    signed = feed.sign(epoch)
    feed.oracle.post_epoch(epoch.posting(), posted_spots(given), signed)
    feed.wait()
    refused(feed, "oracle: number not above the latest", signed, epoch)
    refused(feed, WRONG_SIGNER, signed, replace(epoch, number=epoch.number + 1))


def test_epoch__overtaken_by_a_later_one__is_never_posted(feed):
    held_back = feed.epoch(words(*SPOTS))
    signed = feed.sign(held_back)
    feed.post(number=2)
    feed.wait()
    refused(feed, "oracle: number not above the latest", signed, held_back)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_epoch__signed_by_too_few__is_refused(feed, count):
    keys = dict(enumerate(ATTESTER_KEYS[:count]))
    refused(feed, "quorum: too few signatures", feed.sign(feed.epoch(words(*SPOTS)), keys))


@pytest.mark.parametrize(
    ("bitmap", "copies", "reason"),
    [
        (0b00001, 3, "quorum: bitmap mismatch"),  # one bit, three signatures
        (0b00111, 3, WRONG_SIGNER),  # one signature for three bits
        (0b00001, 1, "quorum: too few signatures"),
    ],
)
def test_epoch__one_signer_as_several__is_refused(feed, bitmap, copies, reason):
    _, (first, *_) = feed.sign(feed.epoch(words(*SPOTS)))
    refused(feed, reason, (bitmap, [first] * copies))


def test_epoch__two_signers_as_three__is_refused(feed):
    keys = {0: ATTESTER_KEYS[0], 2: ATTESTER_KEYS[2], 4: ATTESTER_KEYS[0]}
    refused(feed, WRONG_SIGNER, feed.sign(feed.epoch(words(*SPOTS)), keys))


def test_epoch__signature_mirrored_to_high_s__is_refused(feed):
    """(r, n - s) with the other parity is the same signature; the compact form has no room for most."""
    bitmap, ((r, vs), *rest) = feed.sign(feed.epoch(words(*SPOTS)))
    mirrored = ORDER - (vs & LOW_255)
    assert mirrored > LOW_255
    for parity in (0, 1 << 255):
        refused(feed, WRONG_SIGNER, (bitmap, [(r, mirrored & LOW_255 | parity), *rest]))
        for s in (ORDER // 2 + 1, LOW_255):
            refused(feed, "quorum: high s", (bitmap, [(r, s | parity), *rest]))


def test_epoch__signed_before_a_quorum_switch__is_refused(feed):
    signed = feed.sign(feed.epoch(words(*SPOTS)))
    feed.quorum = another_quorum()
    feed.oracle.set_quorum(feed.quorum.address)
    refused(feed, WRONG_SIGNER, signed)


def walk(feed: Feed, step: int, side: int, until: int) -> list[int]:
    """Every epoch at the far edge of all bands, as a hostile quorum can post it; a unit more is refused: the
    oracle works out the effective spot itself, so what was signed is another epoch.
    """
    seen = [feed.effective()[0]]
    clock, hostile = boa.env.evm.patch, [0, 2**56 - 1][side]
    while clock.timestamp + step <= until:
        before = feed.oracle.header()
        _, effective, ten, hour = feed.oracle.spot(1)
        feed.wait(step)
        anchors, ages = bands.Anchors(effective, ten, hour), bands.Ages(before.tenAge, before.hourAge)
        edge = bands.edges(anchors, ages, clock.timestamp - before.timestamp, BANDS)[side]
        with boa.reverts(WRONG_SIGNER):
            feed.follow(max(hostile, 1), edge + (1 if side else -1))
        feed.follow(max(hostile, 1), edge)
        seen.append(edge)
    return seen


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("step", [12, 15, 60, 97])
def test_hostile_quorum__ten_minutes__stays_within_the_ten_minute_band(feed, step, side):
    seen = walk(feed, step, side, START + bands.TEN_MINUTES)
    lower, upper = bands.band(SPOTS[0], BANDS.ten_minutes, 0, bands.TEN_MINUTES)

    assert all(lower <= spot <= upper for spot in seen)
    assert seen[-1] == (lower, upper)[side]  # which it reaches, and no more
    assert feed.effective()[1] == SPOTS[1]
    assert feed.oracle.header().outside == 1


def test_hostile_quorum__down_then_up_across_an_anchor__moves_three_budgets_at_most(feed):
    step = 15
    walk(feed, step, 1, START + 300)
    walk(feed, step, 0, START + 540)
    seen = walk(feed, step, 1, START + 1_500)
    widest = BANDS.ten_minutes * (bands.TEN_MINUTES + step) // bands.TEN_MINUTES
    per_window = bands.TEN_MINUTES // step + 1
    moves = [max(seen[i : i + per_window]) - min(seen[i : i + per_window]) for i in range(len(seen))]

    assert max(moves) * BASIS_POINTS <= 3 * widest * SPOTS[0]
    assert max(seen) <= bands.band(SPOTS[0], BANDS.hour, 0, bands.HOUR)[1]
