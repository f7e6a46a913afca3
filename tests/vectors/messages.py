"""What the golden vectors encode: types and values, written out once by hand."""

from typing import Any

CHAIN_ID = 1
QUORUM = "0x0000000000000000000000000000000000007101"  # contracts whose domains the vectors use
EXCHANGE = "0x0000000000000000000000000000000000007102"
TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NOBODY = "0x" + "00" * 20
SIGNER = "plimsoll vectors: signer"  # text whose hash is the private key

WAD = 10**18
EXPIRY = 1_745_568_000  # 25 April 2025, 08:00 UTC


def _type(text: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), member.split(), strict=True)) for member in text.split(",")]


DOMAIN_TYPE = _type("string name,string version,uint256 chainId,address verifyingContract")
TYPES = {
    "Epoch": _type(
        "uint64 number,uint64 timestamp,uint64 blockNumber,bytes32 blockHash,bytes32 snapshotHash,"
        "bytes32 methodologyHash,bytes32 marketRoot,bytes32 marginRoot,bytes32 spotsHash"
    ),
    "MarginLeaf": _type(
        "uint256 account,uint128 addedIM,int128 addedMark,bytes32 bookHash,int128 markToMarket,"
        "uint128 initialMargin,uint128 maintenanceMargin,int128 markPosted,uint128 maintenancePosted,"
        "uint64 marginal,uint128 maxAddedIM,bytes32 breakdownHash"
    ),
    "InstrumentLeaf": _type(
        "uint128 instrument,uint128 mark,uint128 imLong,uint128 mmLong,uint128 imShort,uint128 mmShort"
    ),
    "ForwardLeaf": _type("uint16 underlying,uint40 expiry,uint128 forward,int64[5] svi"),
    "Report": _type("uint64 epoch,bytes32 action,MarginLeaf margin,uint64 deadline"),
    "Reports": _type("Report[] reports"),
    "Withdrawal": _type("uint256 account,address token,uint256 amount,address recipient,uint64 nonce"),
    "Leg": _type("uint128 instrument,int128 quantity"),
    "Order": _type(
        "uint256 account,Leg[] legs,uint256 units,int256 limit,uint256 maxFee,uint64 nonce,uint64 expiry,"
        "address taker,address matcher,uint8 flags"
    ),
    "Batch": _type("Fill[] fills"),
    "Fill": _type("bytes32 makerHash,bytes32 takerHash,int256 quantity,int256 price,uint64 fillNonce"),
}
NESTED = {"Report": ["MarginLeaf"], "Reports": ["Report", "MarginLeaf"], "Order": ["Leg"], "Batch": ["Fill"]}


def types_of(primary: str) -> dict[str, list[dict[str, str]]]:
    return {name: TYPES[name] for name in [primary, *NESTED.get(primary, [])]}


# Packed words


def _leg(underlying: int, expiry: int, strike: int, kind: int, quantity: int) -> dict[str, int]:
    return {"underlying": underlying, "expiry": expiry, "strike": strike, "kind": kind, "quantity": quantity}


LEGS = [
    _leg(1, 0, 0, 0, 25 * WAD // 10),
    _leg(2, EXPIRY, 0, 1, -WAD),
    _leg(1, EXPIRY, 1_800 * 10**8, 2, 10**10),
    _leg(1, EXPIRY, 1_800 * 10**8, 3, -(10**10)),
    _leg(32, 2**40 - 1, 2**56 - 1, 3, -1),
    _leg(2**16 - 1, 2**40 - 1, 2**64 - 1, 3, 2**127 - 1),
    _leg(1, EXPIRY, 1, 2, -(2**127)),
]


def instrument_parts(leg: dict[str, int]) -> list[tuple[int, int]]:
    widths = {"underlying": 16, "expiry": 40, "strike": 64, "kind": 8}
    return [(leg[name], bits) for name, bits in widths.items()]


CALL = 1 << 112 | EXPIRY << 72 | 1_800 * 10**8 << 8 | 2
PUT = CALL + 1
HIGHER_CALL = 1 << 112 | EXPIRY << 72 | 2_000 * 10**8 << 8 | 2
SPOTS = [[1_793_45000000, 1_793_45000000], [94_012_00000001, 93_500_00000000], [2**56 - 1, 1]]
FIRST_BOOK_HASH = "0x" + "00" * 29 + "ffffff"  # of an account about to wrap its counter of fills
CHANGES = [  # kind, instrument, signed quantity, price
    (0, CALL, 10**18, 45 * WAD),
    (0, CALL, -(10**18), 0),
    (1, CALL, -(2**95), 2**128),
    (2, CALL, 3, 1),
    (3, 0, 0, 0),
    (4, 2**128 - 1, -1, 2**256 - 1),
    (5, 1, 1, 1),
    (6, 8, -(2**127), 0),
    (7, 0, 10**18, 2**32),
]
OUTLIVED = (0, 3, 7)  # kinds that a record outlives: counted fills, collateral put in, shares bought
TREE_SIZES = [1, 2, 3, 4, 5, 7, 8, 13]


def _record(**changed: int) -> dict[str, int]:
    zero = dict.fromkeys(
        ["epoch", "marginal", "initialMargin", "addedIM", "markBase", "maintenanceMargin"]
        + ["maxAddedIM", "changes", "expiry", "linear"],
        0,
    )
    return {**zero, **changed}


RECORDS = [
    _record(),
    _record(
        epoch=1_234,
        marginal=12 * WAD // 10,
        initialMargin=5_000 * WAD,
        addedIM=777 * WAD,
        markBase=-321 * WAD,
        maintenanceMargin=4_000 * WAD,
        maxAddedIM=10_000 * WAD,
        changes=3 << 24 | 17,
        expiry=EXPIRY,
        linear=-(10**10),
    ),
    _record(
        epoch=2**40 - 1,
        marginal=(2**40 - 1) * 10**9,
        initialMargin=(2**88 - 1) * 10**10,
        addedIM=2**128 - 1,
        markBase=-(2**127),
        maintenanceMargin=(2**88 - 1) * 10**10,
        maxAddedIM=(2**88 - 1) * 10**10,
        changes=2**48 - 1,
        expiry=2**40 - 1,
        linear=-(2**79) * 10**10,
    ),
]


def record_parts(record: dict[str, int]) -> list[list[tuple[int, int]]]:
    """Of each word: number of steps and bits."""
    layout = [
        [("epoch", 40, 1), ("marginal", 40, 10**9), ("initialMargin", 88, 10**10)]
        + [("maintenanceMargin", 88, 10**10)],
        [("addedIM", 128, 1), ("markBase", 128, 1)],
        [("maxAddedIM", 88, 10**10), ("changes", 48, 1), ("expiry", 40, 1), ("linear", 80, 10**10)],
    ]
    return [[(record[name] // step, bits) for name, bits, step in word] for word in layout]


# Messages


def _word(seed: int) -> str:
    return "0x" + f"{seed:02x}" * 32


def _margin(account: int, sign: int) -> dict[str, Any]:
    return {
        "account": account,
        "addedIM": 777 * WAD,
        "addedMark": -sign * 12 * WAD,
        "bookHash": "0x" + "ab" * 26 + "000003000011",
        "markToMarket": sign * 4_321 * WAD,
        "initialMargin": 5_000 * WAD,
        "maintenanceMargin": 4_000 * WAD,
        "markPosted": sign * 4_300 * WAD,
        "maintenancePosted": 4_001 * WAD,
        "marginal": 12 * WAD // 10,
        "maxAddedIM": 10_000 * WAD,
        "breakdownHash": _word(account % 256),
    }


MARGIN_EDGES = {
    "account": 2**256 - 1,
    "addedIM": 2**128 - 1,
    "addedMark": -(2**127),
    "bookHash": _word(0),
    "markToMarket": 2**127 - 1,
    "initialMargin": 0,
    "maintenanceMargin": 2**128 - 1,
    "markPosted": -1,
    "maintenancePosted": 1,
    "marginal": 2**64 - 1,
    "maxAddedIM": 0,
    "breakdownHash": _word(255),
}
EPOCH = {
    "number": 1_234,
    "timestamp": EXPIRY - 60,
    "blockNumber": 22_345_678,
    "blockHash": _word(1),
    "snapshotHash": _word(2),
    "methodologyHash": _word(3),
    "marketRoot": _word(4),
    "marginRoot": _word(5),
    "spotsHash": _word(6),
}
INSTRUMENT = {
    "instrument": CALL,
    "mark": 45 * WAD,
    "imLong": 45 * WAD,
    "mmLong": 45 * WAD,
    "imShort": 270 * WAD,
    "mmShort": 225 * WAD,
}
FORWARD = {
    "underlying": 1,
    "expiry": EXPIRY,
    "forward": 1_795 * WAD,
    "svi": [10**9, 2 * 10**10, -(7 * 10**11), -1, 2**63 - 1],
}
WITHDRAWAL = {"account": 7, "token": TOKEN, "amount": 2_500 * 10**6, "recipient": OWNER, "nonce": 3}
ORDER = {
    "account": 7,
    "legs": [{"instrument": CALL, "quantity": -(WAD // 10)}],
    "units": 10,
    "limit": -(45 * WAD // 10),
    "maxFee": WAD,
    "nonce": 5 << 8 | 3,
    "expiry": EXPIRY - 3_600,
    "taker": NOBODY,
    "matcher": NOBODY,
    "flags": 0,
}


def _package(*legs: tuple[int, int]) -> dict[str, Any]:
    return {**ORDER, "legs": [{"instrument": code, "quantity": quantity} for code, quantity in legs]}


FILL = {
    "makerHash": _word(7),
    "takerHash": _word(8),
    "quantity": 4,
    "price": -(45 * WAD // 10),
    "fillNonce": 9,
}


def _reports(*margins: dict[str, Any]) -> dict[str, Any]:
    shared = {"epoch": 1_234, "action": _word(9), "deadline": EXPIRY}
    return {"reports": [{**shared, "margin": margin} for margin in margins]}


ONE_REPORT = _reports(_margin(7, 1))

MESSAGES: list[tuple[str, dict[str, Any], str]] = [
    ("Epoch", EPOCH, QUORUM),
    ("MarginLeaf", _margin(7, 1), QUORUM),
    ("MarginLeaf", MARGIN_EDGES, QUORUM),
    ("InstrumentLeaf", INSTRUMENT, QUORUM),
    ("ForwardLeaf", FORWARD, QUORUM),
    ("Withdrawal", WITHDRAWAL, QUORUM),
    ("Reports", _reports(), QUORUM),
    ("Reports", ONE_REPORT, QUORUM),
    ("Reports", _reports(_margin(7, 1), _margin(8, -1)), QUORUM),
    ("Order", ORDER, EXCHANGE),
    ("Order", {**ORDER, "limit": 2**255 - 1, "taker": OWNER, "matcher": TOKEN, "flags": 255}, EXCHANGE),
    ("Order", _package((CALL, WAD // 10), (HIGHER_CALL, -(WAD // 10))), EXCHANGE),
    ("Order", _package((CALL, 10**10), (PUT, -(10**10)), (HIGHER_CALL, 3 * WAD)), EXCHANGE),
    ("Order", _package((1, -(2**127)), (CALL, 1), (PUT, -1), (2**128 - 1, 2**127 - 1)), EXCHANGE),
    ("Fill", FILL, QUORUM),
    ("Batch", {"fills": [FILL, {**FILL, "makerHash": _word(9)}]}, QUORUM),
]
