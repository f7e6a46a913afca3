"""The ERC-7730 descriptors: bound to the contracts, complete, and shown as a person must read them."""

import json

import boa
import pytest
from eth_abi.abi import decode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from keeper.attestation import typed_data as typed
from scripts._artifacts import artifact
from tests.support import clear_signing as clear
from tests.vectors import generate, messages, signing

NAMES = ("calldata-Vault", "eip712-AttesterQuorum", "eip712-Exchange")
DESCRIPTORS = {name: clear.load(name) for name in NAMES}
FORMATS = [
    (name, key) for name, descriptor in DESCRIPTORS.items() for key in descriptor["display"]["formats"]
]
TYPED_FORMATS = [(name, key) for name, key in FORMATS if name.startswith("eip712")]
VECTORS = generate.load("clear_signing")
TYPED = generate.load("typed_data")
INTEGERS, ADDRESSES = ("uint", "int"), ("address",)
APPLIES = {  # to which types each format applies
    "raw": ("uint", "int", "address", "bytes", "bool"),
    "unit": INTEGERS,
    "tokenAmount": INTEGERS,
    "date": INTEGERS,
    "enum": INTEGERS,
    "addressName": ADDRESSES,
}


def shown(name, key):
    return DESCRIPTORS[name]["display"]["formats"][key]


def paths(name, key):
    """Type of every value that can be displayed."""
    if name.startswith("eip712"):
        types = clear.typed_data_types(key)
        return clear.typed_data_paths(types, next(iter(types)))
    (function,) = [entry for entry in artifact("Vault").abi if entry.get("name") == key.split("(")[0]]
    return clear.calldata_paths(function["inputs"])


def test_folder__holds_exactly_these_descriptors():
    assert sorted(path.stem for path in clear.FOLDER.iterdir() if path.suffix == ".json") == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_descriptor__sections_are_those_of_the_schema(name):
    descriptor = DESCRIPTORS[name]
    kind = "contract" if name.startswith("calldata") else "eip712"

    assert descriptor["$schema"] == clear.SCHEMA
    assert set(descriptor) == {"$schema", "context", "metadata", "display"}
    assert set(descriptor["context"]) == {"$id", kind}
    assert set(descriptor["metadata"]) <= {"owner", "contractName", "info", "enums", "constants"}
    assert set(descriptor["display"]) == {"formats"}
    for one in descriptor["display"]["formats"].values():
        assert set(one) <= {"$id", "intent", "interpolatedIntent", "fields"}
    if kind == "eip712":
        assert descriptor["context"]["eip712"]["domain"] == {"name": "Plimsoll", "version": "1"}


@pytest.mark.parametrize(("name", "key"), FORMATS)
def test_format__every_value_has_one_field_of_a_format_for_its_type(name, key):
    fields, values = list(clear.fields_of(shown(name, key)["fields"])), paths(name, key)

    tokens = {field.params["tokenPath"] for field in fields if field.format == "tokenAmount"}

    # nothing forgotten, nothing invented, nothing twice; a token is shown by the ticker of its amount
    assert sorted([*tokens, *(field.path for field in fields)]) == sorted(values)
    for field in fields:
        assert values[field.path].rstrip("0123456789") in APPLIES[field.format], field
        if field.format == "tokenAmount":
            assert values[field.params["tokenPath"]] == "address"
        if field.format == "enum":
            root, section, kind, enum = field.params["$ref"].split(".")
            assert (root, section, kind) == ("$", "metadata", "enums")
            assert DESCRIPTORS[name]["metadata"]["enums"][enum]


@pytest.mark.parametrize(("name", "key"), FORMATS)
def test_interpolated_intent__names_fields_that_are_always_visible(name, key):
    text = shown(name, key).get("interpolatedIntent", "")
    always = {f.path for f in clear.fields_of(shown(name, key)["fields"]) if f.visible == "always"}

    assert {part.split("}")[0] for part in text.split("{")[1:]} <= always


def test_vault__keys_are_its_functions():
    functions = {clear.calldata_key(entry) for entry in artifact("Vault").abi if entry["type"] == "function"}

    assert set(DESCRIPTORS["calldata-Vault"]["display"]["formats"]) <= functions


@pytest.mark.parametrize(("name", "key"), TYPED_FORMATS)
def test_encode_type__gives_the_digests_and_signatures_of_the_golden_vectors(name, key):
    """The vectors' digests are those of the contracts (tests/parity)."""
    types = clear.typed_data_types(key)
    primary = next(iter(types))
    vectors = [vector for vector in TYPED if vector["primaryType"] == primary]

    assert vectors
    for vector in vectors:
        domain = {"chainId": messages.CHAIN_ID, "verifyingContract": vector["contract"]}
        domain |= DESCRIPTORS[name]["context"]["eip712"]["domain"]
        full = {
            "types": {"EIP712Domain": messages.DOMAIN_TYPE, **types},
            "primaryType": primary,
            "domain": domain,
            "message": vector["message"],
        }
        signable = encode_typed_data(full_message=full)
        assert (
            keccak(b"\x19" + signable.version + signable.header + signable.body).hex() == vector["digest"][2:]
        )
        assert keccak(text=key) in source_hashes(name)


def source_hashes(name):
    """Type hashes in the source of a descriptor's contract."""
    file = {"eip712-Exchange": "exchange/order", "eip712-AttesterQuorum": "attestation/typed_data"}[name]
    compiled = boa.load_partial(f"contracts/{file}.vy").compiler_data.annotated_vyper_module
    constants = [node.value for node in compiled.body if type(node).__name__ == "VariableDecl"]
    texts = [one.args[0].value for one in constants if getattr(one, "args", None)]
    return {keccak(text=text) for text in texts if isinstance(text, str)}


def test_order__flags__every_set_of_bits_has_its_text():
    bits = ("Post only", "Reduce only", "Immediate or cancel", "Fill or kill")
    texts = DESCRIPTORS["eip712-Exchange"]["metadata"]["enums"]["flags"]

    assert len(texts) == 16
    for flags in range(16):
        chosen = [text for bit, text in enumerate(bits) if flags >> bit & 1]
        assert texts[str(flags)].lower() == ", ".join(chosen or ["None"]).lower()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_display__vector__reads_as_committed(vector):
    (key,) = [k for n, k in FORMATS if n == vector["descriptor"] and k.split("(")[0] == kind_of(vector)]
    message = vector.get("message") or decoded(vector, key)

    assert clear.display(DESCRIPTORS[vector["descriptor"]], key, message, TOKENS) == vector["display"]


def decoded(vector, key):
    """Arguments of a call, from its calldata alone."""
    (function,) = [entry for entry in artifact("Vault").abi if entry.get("name") == vector["function"]]
    data = bytes.fromhex(vector["calldata"][2:])
    types = [type_text(one) for one in function["inputs"]]
    assert data[:4] == keccak(text=f"{vector['function']}({','.join(types)})")[:4]
    return named(function["inputs"], decode(types, data[4:]))


def type_text(one):
    if one["type"] != "tuple":
        return one["type"]
    return f"({','.join(type_text(member) for member in one['components'])})"


def named(inputs, values):
    return {
        one["name"]: named(one["components"], value) if one["type"] == "tuple" else value
        for one, value in zip(inputs, values, strict=True)
    }


TOKENS = {form: token for one, token in signing.TOKENS.items() for form in (one, one.lower())}


def kind_of(vector):
    return vector["function"] if "function" in vector else vector["primaryType"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "digest" in v], ids=lambda vector: vector["name"])
def test_signature__vector__is_of_the_well_known_key(vector):
    digest = bytes.fromhex(vector["digest"][2:])
    r, vs = bytes.fromhex(vector["signature"][2:66]), int(vector["signature"][66:], 16)

    assert typed.recover(digest, r, vs) == signing.OWNER
    assert typed.sign(digest, bytes.fromhex(signing.KEY[2:])) == (r, vs)
    assert Account.from_key(signing.KEY).address == signing.OWNER


def test_files__are_written_as_the_formatter_writes_json():
    for name, descriptor in DESCRIPTORS.items():
        assert (clear.FOLDER / f"{name}.json").read_text() == json.dumps(descriptor, indent=2) + "\n"
