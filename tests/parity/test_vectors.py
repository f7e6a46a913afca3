"""Golden vectors of the wire formats: the files are frozen, contracts and keeper both reproduce them."""

import boa
import pytest

from keeper.attestation import merkle
from keeper.attestation import typed_data as typed
from keeper.attestation.epoch import spots_hash
from keeper.clearing import book_hash
from keeper.exchange.order import Batch, Fill, Leg, Order
from keeper.markets import instrument as instruments
from tests.vectors import generate, messages

TYPED = generate.load("typed_data")
LEGS = generate.load("instruments")
RECORDS = generate.load("records")
SPOTS = generate.load("spots")
BOOK_HASHES = generate.load("book_hashes")
TREES = generate.load("merkle")
PLAIN = {
    "Epoch": typed.Epoch,
    "MarginLeaf": typed.MarginLeaf,
    "InstrumentLeaf": typed.InstrumentLeaf,
    "ForwardLeaf": typed.ForwardLeaf,
    "Withdrawal": typed.Withdrawal,
    "Fill": Fill,
}


def raw(value):
    """Hashes from text to bytes; addresses stay text."""
    is_hash = isinstance(value, str) and len(value) == 66
    return bytes.fromhex(value[2:]) if is_hash else value


def members(message):
    return [raw(value) for value in message.values()]


def margins(message):
    return [typed.MarginLeaf(*members(report["margin"])) for report in message["reports"]]


def order_of(message):
    legs = tuple(Leg(*leg.values()) for leg in message["legs"])
    return Order(message["account"], legs, *list(message.values())[2:])


def name_of(vector):
    return vector["primaryType"]


@pytest.mark.parametrize("name", generate.BUILDERS)
def test_vectors__generated_again__are_the_committed_files(name):
    assert (generate.FOLDER / f"{name}.json").read_text() == generate.text_of(name)


# Typed data


def python_hash(primary, message):
    if primary == "Reports":
        reports = [
            typed.Report(report["epoch"], raw(report["action"]), margin, report["deadline"])
            for report, margin in zip(message["reports"], margins(message), strict=True)
        ]
        return typed.reports_hash(reports)
    if primary == "Order":
        return order_of(message).struct_hash()
    if primary == "Batch":
        return Batch(tuple(Fill(*members(fill)) for fill in message["fills"])).struct_hash()
    return PLAIN[primary](*members(message)).struct_hash()


@pytest.fixture(scope="module")
def order_contract():
    return boa.load("contracts/exchange/order.vy").internal


def contract_hash(attestation, order, primary, message):
    if primary == "Reports":
        first = (message["reports"] or [{"epoch": 0, "action": generate.hex_of(bytes(32)), "deadline": 0}])[0]
        leaves = [margin.values() for margin in margins(message)]
        return attestation.reports_hash(first["epoch"], raw(first["action"]), first["deadline"], leaves)
    if primary == "Order":
        legs = order._legs_hash([leg.values() for leg in order_of(message).legs])
        return order._order_hash(order_of(message).terms(), legs)
    if primary == "Batch":
        return order._batch_hash([Fill(*members(fill)).struct_hash() for fill in message["fills"]])
    if primary == "Fill":
        return order._fill_hash(tuple(members(message)))
    if primary == "Withdrawal":
        return attestation.withdrawal_hash(*members(message))
    function = f"{primary.removesuffix('Leaf').lower()}_hash"
    return getattr(attestation, function)(tuple(members(message)))


@pytest.mark.parametrize("vector", TYPED, ids=name_of)
def test_struct_hash__vector__keeper_and_contract_agree(attestation_contract, order_contract, vector):
    primary, message = vector["primaryType"], vector["message"]
    expected = raw(vector["structHash"])

    assert python_hash(primary, message) == expected
    assert contract_hash(attestation_contract, order_contract, primary, message) == expected
    assert typed.leaf(expected) == attestation_contract.leaf(expected) == raw(vector["leaf"])


@pytest.fixture(scope="module")
def domains():
    """The two contracts that have a domain, at the addresses of the vectors."""
    unused = boa.env.generate_address()
    signers = [vector["signer"] for vector in TYPED[:1]]
    quorum = boa.load("contracts/attestation/AttesterQuorum.vy", signers, 1, override_address=messages.QUORUM)
    exchange = boa.load(
        "contracts/exchange/Exchange.vy", unused, unused, unused, 0, 0, override_address=messages.EXCHANGE
    )
    return {messages.QUORUM: quorum, messages.EXCHANGE: exchange}


@pytest.mark.parametrize("vector", TYPED, ids=name_of)
def test_digest__vector__keeper_and_contract_agree(domains, vector):
    struct_hash, contract = raw(vector["structHash"]), vector["contract"]
    separator = typed.domain_separator(messages.CHAIN_ID, contract)

    assert separator == raw(vector["domainSeparator"])
    assert typed.digest(separator, struct_hash) == raw(vector["digest"])
    assert domains[contract].digest(struct_hash) == raw(vector["digest"])


@pytest.mark.parametrize("vector", TYPED, ids=name_of)
def test_sign__vector__is_eth_accounts_signature_in_compact_form(vector):
    digest, r, vs = raw(vector["digest"]), raw(vector["r"]), int(vector["vs"], 16)

    assert typed.sign(digest, raw(vector["key"])) == (r, vs)
    assert typed.recover(digest, r, vs) == vector["signer"]


@pytest.mark.parametrize("vector", [v for v in TYPED if v["contract"] == messages.QUORUM], ids=name_of)
def test_require_signed__vector__passes(domains, vector):
    signature = (raw(vector["r"]), int(vector["vs"], 16))

    assert domains[messages.QUORUM].require_signed(raw(vector["structHash"]), (1, [signature]))


# Packed words


@pytest.mark.parametrize("vector", LEGS)
def test_pack__vector__keeper_and_contract_agree(instrument_contract, vector):
    underlying, expiry, strike, kind, quantity = list(vector.values())[:5]
    packed, word = int(vector["instrument"], 16), int(vector["word"], 16)
    instrument = instruments.Instrument(underlying, expiry, strike, instruments.Kind(kind))

    assert instrument.pack() == instrument_contract.pack(underlying, expiry, strike, kind) == packed
    assert instruments.Instrument.unpack(packed) == instrument
    assert instrument_contract.unpack(packed) == (underlying, expiry, strike, kind)
    assert instruments.word(packed, quantity) == instrument_contract.word(packed, quantity) == word
    assert instruments.leg_of(word) == instruments.Leg(packed, quantity)
    assert instrument_contract.leg_of(word) == (packed, quantity)


@pytest.fixture(scope="module")
def record_module():
    return boa.load("contracts/risk/record.vy").internal


@pytest.mark.parametrize("vector", RECORDS, ids=["empty", "usual", "largest"])
def test_record__vector__contract_packs_and_unpacks_it(record_module, vector):
    fields, words = tuple(vector["record"].values()), [int(word, 16) for word in vector["words"]]

    assert record_module._pack(fields) == words
    assert tuple(record_module._unpack(words)) == fields


def test_spots_hash__vector__keeper_agrees():
    words = [int(word, 16) for word in SPOTS["words"]]

    assert words == [posted << 64 | effective for posted, effective in SPOTS["spots"]]
    assert spots_hash(words) == raw(SPOTS["spotsHash"])


@pytest.fixture(scope="module")
def accounts_module():
    return boa.load("contracts/clearing/accounts.vy").internal


@pytest.mark.parametrize("vector", BOOK_HASHES, ids=lambda vector: f"kind {vector['kind']}")
def test_fold__vector__keeper_and_contract_agree(accounts_module, vector):
    before, *change, after = vector.values()

    assert book_hash.fold(raw(before), *change) == raw(after)
    assert accounts_module._fold(raw(before), *change) == raw(after)


# Merkle trees


@pytest.mark.parametrize("vector", TREES, ids=lambda vector: f"{len(vector['leaves'])} leaves")
def test_merkle__vector__keeper_and_contract_agree(attestation_contract, vector):
    leaves = [raw(leaf) for leaf in vector["leaves"]]
    tree = merkle.Tree(leaves)

    assert tree.root == raw(vector["root"])
    for leaf, siblings in zip(leaves, vector["proofs"], strict=True):
        proof = [raw(sibling) for sibling in siblings]
        assert list(tree.proof(leaf)) == proof
        assert merkle.root_from(leaf, proof) == attestation_contract.root_from(leaf, proof) == tree.root
