"""Writes the golden vectors of every wire format: `python -m tests.vectors.generate`.

Shares no code with the keeper: typed data and signatures come from eth_account, fields are laid side by
side as hexadecimal text. The files are frozen: a difference after a change to the code is a broken format,
not a reason to run this again.
"""

import json
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.vectors import messages as m
from tests.vectors import signing

FOLDER = Path(__file__).parent


def hex_of(raw: bytes) -> str:
    return "0x" + raw.hex()


def fields(*parts: tuple[int, int]) -> str:
    """Fixed-width fields side by side, the first one highest: (value, bits), negative as two's complement."""
    return "0x" + "".join(f"{value % 2**bits:0{bits // 4}x}" for value, bits in parts)


# Typed data


def signable(primary: str, message: dict[str, Any], contract: str) -> Any:
    types = {"EIP712Domain": m.DOMAIN_TYPE, **m.types_of(primary)}
    domain = {"name": "Plimsoll", "version": "1", "chainId": m.CHAIN_ID, "verifyingContract": contract}
    full = {"types": types, "primaryType": primary, "domain": domain, "message": message}
    return encode_typed_data(full_message=full)


def typed_data(primary: str, message: dict[str, Any], contract: str) -> dict[str, Any]:
    """eth_account: header = domain separator, body = struct hash."""
    text = signable(primary, message, contract)
    key = keccak(text=m.SIGNER)
    signed = Account.from_key(key).sign_message(text)
    return {
        "primaryType": primary,
        "contract": contract,
        "message": message,
        "domainSeparator": hex_of(text.header),
        "structHash": hex_of(text.body),
        "leaf": hex_of(keccak(text.body)),
        "digest": hex_of(keccak(b"\x19\x01" + text.header + text.body)),
        "key": hex_of(key),
        "signer": Account.from_key(key).address,
        "r": fields((signed.r, 256)),
        "vs": fields(((signed.v - 27) << 255 | signed.s, 256)),
    }


def all_typed_data() -> list[dict[str, Any]]:
    return [typed_data(primary, message, contract) for primary, message, contract in m.MESSAGES]


# What a person signs


def signed(text: Any) -> dict[str, str]:
    done = Account.from_key(signing.KEY).sign_message(text)
    compact = fields((done.r, 256), ((done.v - 27) << 255 | done.s, 256))
    return {"digest": hex_of(done.message_hash), "signature": compact}


def clear_signing() -> list[dict[str, Any]]:
    """Typed data with digests and signatures, calls with calldata; what is displayed is not computed."""
    found = [{**one, **signed(signable(*(one[k] for k in SIGNED)))} for one in signing.MESSAGES]
    for one in signing.CALLS:
        text, types, values = one["call"]
        calldata = hex_of(keccak(text=text)[:4] + encode(types, values))
        function = text[: text.index("(")]
        found.append(
            {
                "name": one["name"],
                "descriptor": "calldata-Vault",
                "function": function,
                "calldata": calldata,
                "display": one["display"],
            }
        )
    return found


SIGNED = ("primaryType", "message", "contract")


def permits() -> list[dict[str, Any]]:
    """ERC-2612, of shares of the insurance fund."""
    found = []
    for permit in signing.PERMITS:
        text = encode_typed_data(signing.FUND_DOMAIN, signing.PERMIT_TYPE, permit)
        done = Account.from_key(signing.KEY).sign_message(text)
        parts = {"v": done.v, "r": fields((done.r, 256)), "s": fields((done.s, 256))}
        found.append({**permit, "digest": hex_of(done.message_hash), **parts})
    return found


# Packed words


def instruments() -> list[dict[str, Any]]:
    return [
        {
            **leg,
            "instrument": fields(*m.instrument_parts(leg)),
            "word": fields(*m.instrument_parts(leg), (leg["quantity"], 128)),
        }
        for leg in m.LEGS
    ]


def records() -> list[dict[str, Any]]:
    return [
        {"record": record, "words": [fields(*word) for word in m.record_parts(record)]}
        for record in m.RECORDS
    ]


def spots() -> dict[str, Any]:
    words = [fields((0, 128), (posted, 64), (effective, 64)) for posted, effective in m.SPOTS]
    joined = b"".join(bytes.fromhex(word[2:]) for word in words)
    return {"spots": m.SPOTS, "words": words, "spotsHash": hex_of(keccak(joined))}


def book_hashes() -> list[dict[str, Any]]:
    """Every change folds into the hash before it: 208 bits of digest, then the two counters."""
    current, steps = m.FIRST_BOOK_HASH, []
    for kind, instrument, quantity, price in m.CHANGES:
        types = ["bytes32", "uint8", "uint128", "int256", "uint256"]
        digest = keccak(encode(types, [bytes.fromhex(current[2:]), kind, instrument, quantity, price]))
        others, fills = int(current[-12:-6], 16), int(current[-6:], 16)
        outlived = kind in m.OUTLIVED
        counted = fields((others + (not outlived), 24), (fills + outlived, 24))
        after = "0x" + digest.hex()[:52] + counted[2:]
        steps.append(
            {
                "before": current,
                "kind": kind,
                "instrument": instrument,
                "quantity": quantity,
                "price": price,
                "after": after,
            }
        )
        current = after
    return steps


# Merkle trees


def parent(a: bytes, b: bytes) -> bytes:
    return keccak(b"".join(sorted([a, b])))


def prove(level: list[bytes], position: int) -> tuple[bytes, list[bytes]]:
    """Root and proof of the leaf at a position of a sorted level; an odd node is promoted."""
    if len(level) == 1:
        return level[0], []
    above = [parent(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    sibling = level[position ^ 1 : (position ^ 1) + 1]
    root, rest = prove(above, position // 2)
    return root, sibling + rest


def trees() -> list[dict[str, Any]]:
    built: list[dict[str, Any]] = [
        {"leaves": [], "root": hex_of(keccak(text="plimsoll: empty tree")), "proofs": []}
    ]
    for size in m.TREE_SIZES:
        leaves = [keccak(keccak(text=f"leaf {i}")) for i in range(size)]
        level = sorted(leaves)
        proven = [prove(level, level.index(leaf)) for leaf in leaves]
        built.append(
            {
                "leaves": [hex_of(leaf) for leaf in leaves],
                "root": hex_of(proven[0][0]),
                "proofs": [[hex_of(sibling) for sibling in proof] for _, proof in proven],
            }
        )
    return built


BUILDERS = {
    "typed_data": all_typed_data,
    "instruments": instruments,
    "records": records,
    "spots": spots,
    "book_hashes": book_hashes,
    "merkle": trees,
    "clear_signing": clear_signing,
    "permits": permits,
}


def text_of(name: str) -> str:
    """One file as it must be on disk. Integers are decimal text: readers of JSON may keep only 53 bits."""
    return json.dumps(_as_text(BUILDERS[name]()), indent=1) + "\n"


def load(name: str) -> Any:
    """One file with its integers back as integers."""
    return _as_numbers(json.loads((FOLDER / f"{name}.json").read_text()))


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(item) for item in value]
    return str(value) if isinstance(value, int) else value


def _as_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    return int(value) if value.lstrip("-").isdigit() else value


if __name__ == "__main__":
    for file_name in BUILDERS:
        (FOLDER / f"{file_name}.json").write_text(text_of(file_name))
