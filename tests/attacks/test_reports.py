"""A report is good for one action of one account on one epoch of one chain, once."""

from dataclasses import dataclass, replace

import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from keeper.clearing import account as accounts
from keeper.exchange.order import signature_bytes
from tests.attacks.conftest import USDC
from tests.stateful import typed
from tests.stateful.orders import REPORT, WAD

UNIT = "(uint128,uint128,uint128,uint128,uint128,uint128)"
STATEMENT = f"(uint64,uint64,(uint256,(bytes32,uint256)[]),{UNIT}[],bytes32[][])"
FIELDS = ("epoch", "deadline", "signatures")


def opened(statement):
    """Epoch, deadline, signatures, instruments and paths of an encoded statement."""
    return decode([STATEMENT], statement)[0]


def restated(statement, **changes):
    """The statement with other fields, as anybody may encode it."""
    fields = list(opened(statement))
    for name, value in changes.items():
        fields[FIELDS.index(name)] = value
    return encode([STATEMENT], [fields])


def presented(stage, **deal_changes):
    """Orders, sides and statement of an honest trade by two reports, not yet sent."""
    p = stage.protocol
    deal = stage.deal(stage.honest, stage.depositor, stage.call(2_000), 2, 200, (REPORT, REPORT))
    deal = replace(deal, **deal_changes)
    orders, sides = p.world.orders(deal), stage.sides(deal)
    return deal, orders, sides, p.world.statement(orders.action(), sides, deal.instruments)


def signed_again(stage, orders, sides, deal):
    return stage.protocol.world.statement(orders.action(), sides, deal.instruments)


def test_report__honest__passes(stage):
    deal, orders, sides, statement = presented(stage)
    world = stage.protocol.world
    before = world.chain.evm.snapshot()

    assert world.fill(deal, orders, sides, statement) == ""
    world.chain.evm.revert(before)


def test_report__used_twice__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    world = stage.protocol.world
    before = world.chain.evm.snapshot()
    world.fill(deal, orders, sides, statement)

    assert world.fill(deal, orders, sides, statement) == "exchange: units beyond order"
    world.chain.evm.revert(before)


def test_report__two_equal_partial_fills__need_one_each(stage):
    """Both fills are alike but for the nonce: the first one's report does not pass the second."""
    p = stage.protocol
    deal = stage.deal(stage.honest, stage.depositor, stage.call(2_000), 1, 200, (REPORT, REPORT))
    orders = p.world.orders(deal)
    orders = replace(orders, maker=orders.maker | {"units": 2}, taker=orders.taker | {"units": 2})
    sides = stage.sides(deal)
    statement = p.world.statement(orders.action(), sides, deal.instruments)
    before = p.world.chain.evm.snapshot()

    assert p.world.fill(deal, orders, sides, statement) == ""
    assert p.world.fill(deal, orders, sides, statement) != ""
    assert p.world.fill(deal, replace(orders, fill_nonce=orders.fill_nonce + 1), sides, statement) != ""
    p.world.chain.evm.revert(before)


def test_report__of_an_older_epoch__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    stage.epoch(80, 0)

    assert stage.protocol.world.fill(deal, orders, sides, statement) != ""


def test_report__relabelled_to_the_latest_epoch__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    stage.epoch(80, 0)
    relabelled = restated(statement, epoch=stage.protocol.epoch.number)

    assert stage.protocol.world.fill(deal, orders, sides, relabelled) != ""


def test_report__past_its_deadline__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    late = restated(statement, deadline=stage.protocol.world.chain.timestamp - 1)

    assert stage.protocol.world.fill(deal, orders, sides, late) != ""


@pytest.mark.parametrize(
    "change",
    [
        {"account": 999},
        {"addedIM": 10**6 * WAD},
        {"addedMark": -(10**6) * WAD},
        {"bookHash": keccak(b"another book")},
        {"markToMarket": 5_000 * WAD},
        {"markToMarket": -1},
        {"initialMargin": 10**6 * WAD, "markToMarket": 300 * WAD},
    ],
    ids=["account", "added margin", "added mark", "book", "mark above", "mark below", "margin above equity"],
)
def test_report__false_but_signed__is_refused(stage, change):
    """Even a whole hostile quorum states only what the chain can check against itself."""
    deal, orders, sides, _ = presented(stage)
    false = [sides[0], replace(sides[1], leaf=sides[1].leaf | change)]
    if "account" not in change and "bookHash" not in change and "markToMarket" in change:
        false = [replace(sides[0], leaf=sides[0].leaf | change), sides[1]]
    if change.get("initialMargin"):
        false = [sides[0], replace(sides[1], leaf=sides[1].leaf | {"initialMargin": 10**7 * WAD})]

    assert stage.protocol.world.fill(deal, orders, false, signed_again(stage, orders, false, deal)) != ""


def test_report__sides_swapped__is_refused(stage):
    deal, orders, sides, _ = presented(stage)
    swapped = [replace(sides[0], leaf=sides[1].leaf), replace(sides[1], leaf=sides[0].leaf)]

    assert stage.protocol.world.fill(deal, orders, swapped, signed_again(stage, orders, swapped, deal)) != ""


def test_report__signed_for_another_chain__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    world = stage.protocol.world
    own, world.chain.chain_id = world.chain.chain_id, 1
    foreign = world.statement(orders.action(), sides, [stage.call(2_000)])
    world.chain.chain_id = own

    assert opened(foreign)[2] != opened(statement)[2]
    assert world.fill(deal, orders, sides, foreign) != ""


def test_report__too_few_signers__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    bitmap, signatures = opened(statement)[2]
    few = (bitmap & bitmap - 1, signatures[1:])

    assert stage.protocol.world.fill(deal, orders, sides, restated(statement, signatures=few)) != ""


def test_report__one_signer_thrice__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    bitmap, signatures = opened(statement)[2]
    same = (bitmap, [signatures[0]] * len(signatures))

    assert stage.protocol.world.fill(deal, orders, sides, restated(statement, signatures=same)) != ""


def test_report__of_a_withdrawal__passes_no_fill(stage):
    deal, orders, sides, statement = presented(stage)
    world = stage.protocol.world
    other = world.statement(world.withdrawal_action(stage.honest, 0, USDC, 0), sides, [stage.call(2_000)])

    assert world.fill(deal, orders, sides, other) != ""


def test_withdrawal__its_report_again__is_refused(stage):
    """The account's withdrawal nonce is in the action, so equal withdrawals are different actions."""
    p = stage.protocol
    number, amount = stage.honest, 1_000 * USDC
    after = accounts.withdrawn(p.account(number), p.ledger.token.cash(amount))
    side = p.side(number, REPORT, after)
    statement = p.world.statement(p.world.withdrawal_action(number, 0, amount, 0), [side])
    before = p.world.chain.evm.snapshot()

    assert p.world.withdraw(side, 0, amount, statement) == ""
    assert p.world.withdraw(side, 0, amount, statement) != ""
    p.world.chain.evm.revert(before)


def test_order__signed_for_another_chain__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    world = stage.protocol.world
    foreign = typed.domain_separator(1, world.contracts.exchange.address)
    digest = typed.digest(foreign, typed.struct_hash("Order", orders.maker))
    world.sign_order = lambda order: signature_bytes(typed.sign(world.owners[order["account"]], digest))

    # whoever the signature names then, it is nobody that may trade for the account
    assert world.fill(deal, orders, sides, statement) == "clearing: signer may not trade"


def test_self_trade__one_account__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    own = replace(orders, taker=orders.taker | {"account": stage.honest})

    assert stage.protocol.world.fill(deal, own, sides, statement) == "exchange: same account"


@dataclass(frozen=True)
class Forged:
    """Two proofs, one behind the other; the offset in front leads to the second."""

    first: bytes
    second: bytes

    def evidence(self):
        return REPORT, len(self.first).to_bytes(32, "big") + self.first[32:] + self.second[32:]


def test_report__two_margins_behind_one_another__the_signed_one_counts_or_none(stage):
    """A decoder follows offsets, and the gate reads places: no encoding may show one leaf to the signatures
    and another to the check.
    """
    deal, orders, sides, statement = presented(stage)
    world, chain = stage.protocol.world, stage.protocol.world.chain
    free = replace(sides[0], leaf=sides[0].leaf | {"initialMargin": 0, "markToMarket": 10**6 * WAD})
    signed, false = sides[0].evidence()[1], free.evidence()[1]
    records = []
    for side in (sides[0], Forged(signed, false)):
        before = chain.evm.snapshot()
        assert world.fill(deal, orders, [side, sides[1]], statement) == ""
        records.append(world.clearing.standing(stage.honest, True))
        chain.evm.revert(before)

    assert records[0] == records[1]
    assert world.fill(deal, orders, [Forged(false, signed), sides[1]], statement) == "quorum: wrong signer"


def test_statement__behind_another_offset__is_refused(stage):
    deal, orders, sides, statement = presented(stage)
    moved = (64).to_bytes(32, "big") + bytes(32) + statement[32:]

    assert stage.protocol.world.fill(deal, orders, sides, moved) == "gate: instruments differ"
