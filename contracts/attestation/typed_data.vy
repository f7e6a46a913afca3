# pragma version 0.4.3
"""
@title EIP-712 struct hashes of what attesters sign
@license AGPL-3.0-only
@notice Only struct hashes: the domain belongs to the contract that checks the signatures. The Python twin is
        `keeper/attestation/typed_data.py`.
@dev Every member is a value type, so the encoding of a struct is its ABI encoding behind the typehash; an array member
     enters by the hash of its ABI-encoded elements.
"""

from ..interfaces import IAttestation

EPOCH_TYPEHASH: constant(bytes32) = keccak256(
    "Epoch(uint64 number,uint64 timestamp,uint64 blockNumber,bytes32 blockHash,bytes32 snapshotHash,bytes32 methodologyHash,bytes32 marketRoot,bytes32 marginRoot,bytes32 spotsHash)"
)
MARGIN_LEAF_TYPEHASH: constant(bytes32) = keccak256(
    "MarginLeaf(uint256 account,uint128 addedIM,int128 addedMark,bytes32 bookHash,int128 markToMarket,uint128 initialMargin,uint128 maintenanceMargin,int128 markPosted,uint128 maintenancePosted,uint64 marginal,uint128 maxAddedIM,bytes32 breakdownHash)"
)
INSTRUMENT_LEAF_TYPEHASH: constant(bytes32) = keccak256(
    "InstrumentLeaf(uint128 instrument,uint128 mark,uint128 imLong,uint128 mmLong,uint128 imShort,uint128 mmShort)"
)
FORWARD_LEAF_TYPEHASH: constant(bytes32) = keccak256(
    "ForwardLeaf(uint16 underlying,uint40 expiry,uint128 forward,int64[5] svi)"
)
# The types a type refers to follow it in alphabetical order.
REPORT_TYPEHASH: constant(bytes32) = keccak256(
    "Report(uint64 epoch,bytes32 action,MarginLeaf margin,uint64 deadline)MarginLeaf(uint256 account,uint128 addedIM,int128 addedMark,bytes32 bookHash,int128 markToMarket,uint128 initialMargin,uint128 maintenanceMargin,int128 markPosted,uint128 maintenancePosted,uint64 marginal,uint128 maxAddedIM,bytes32 breakdownHash)"
)
REPORTS_TYPEHASH: constant(bytes32) = keccak256(
    "Reports(Report[] reports)MarginLeaf(uint256 account,uint128 addedIM,int128 addedMark,bytes32 bookHash,int128 markToMarket,uint128 initialMargin,uint128 maintenanceMargin,int128 markPosted,uint128 maintenancePosted,uint64 marginal,uint128 maxAddedIM,bytes32 breakdownHash)Report(uint64 epoch,bytes32 action,MarginLeaf margin,uint64 deadline)"
)
WITHDRAWAL_TYPEHASH: constant(bytes32) = keccak256(
    "Withdrawal(uint256 account,address token,uint256 amount,address recipient,uint64 nonce)"
)


@internal
@pure
def _margin_hash(leaf: IAttestation.MarginLeaf) -> bytes32:
    """
    @notice Struct hash of an account's margin.
    """
    return keccak256(abi_encode(MARGIN_LEAF_TYPEHASH, leaf))


@internal
@pure
def _instrument_hash(leaf: IAttestation.InstrumentLeaf) -> bytes32:
    """
    @notice Struct hash of an instrument's mark and stand-alone margins.
    """
    return keccak256(abi_encode(INSTRUMENT_LEAF_TYPEHASH, leaf))


@internal
@pure
def _encoded_margin_hash(leaf: Bytes[384]) -> bytes32:
    """
    @notice Struct hash of an account's margin that is still encoded.
    """
    return keccak256(concat(MARGIN_LEAF_TYPEHASH, leaf))


@internal
@pure
def _encoded_instrument_hash(leaf: Bytes[192]) -> bytes32:
    """
    @notice Struct hash of an instrument that is still encoded.
    """
    return keccak256(concat(INSTRUMENT_LEAF_TYPEHASH, leaf))


@internal
@pure
def _forward_hash(leaf: IAttestation.ForwardLeaf) -> bytes32:
    """
    @notice Struct hash of an expiry's forward and surface.
    """
    return keccak256(
        abi_encode(
            FORWARD_LEAF_TYPEHASH,
            leaf.underlying,
            leaf.expiry,
            leaf.forward,
            keccak256(abi_encode(leaf.svi)),
        )
    )


@internal
@pure
def _reports_hash(
    epoch: uint64,
    action: bytes32,
    deadline: uint64,
    margins: DynArray[bytes32, 2],
) -> bytes32:
    """
    @notice Struct hash of the reports on one action: they share epoch, action and deadline.
    @param epoch Number of the epoch that the margins belong to.
    @param action Struct hash of the fill or withdrawal.
    @param deadline Unix seconds.
    @param margins Struct hash of the margin of each account that presents a report, the maker's first.
    @return The struct hash.
    """
    count: uint256 = len(margins)
    if count == 0:
        return keccak256(abi_encode(REPORTS_TYPEHASH, keccak256(b"")))
    first: bytes32 = self._report_hash(epoch, action, deadline, margins[0])
    if count == 1:
        return keccak256(abi_encode(REPORTS_TYPEHASH, keccak256(first)))
    second: bytes32 = self._report_hash(epoch, action, deadline, margins[1])
    return keccak256(abi_encode(REPORTS_TYPEHASH, keccak256(concat(first, second))))


@internal
@pure
def _report_hash(
    epoch: uint64,
    action: bytes32,
    deadline: uint64,
    margin: bytes32,
) -> bytes32:
    """
    @notice Struct hash of one account's report.
    """
    return keccak256(abi_encode(REPORT_TYPEHASH, epoch, action, margin, deadline))


@internal
@pure
def _withdrawal_hash(
    account: uint256,
    token: address,
    amount: uint256,
    recipient: address,
    nonce: uint64,
) -> bytes32:
    """
    @notice Struct hash of a withdrawal, the action that a report on it names.
    @param account Account that pays.
    @param token Token that leaves.
    @param amount In the token's own decimals.
    @param recipient Address that is paid.
    @param nonce The account's withdrawal nonce before the withdrawal.
    @return The struct hash.
    """
    return keccak256(abi_encode(WITHDRAWAL_TYPEHASH, account, token, amount, recipient, nonce))


@internal
@pure
def _leaf(struct_hash: bytes32) -> bytes32:
    """
    @notice The Merkle leaf of a struct: hashed once more, so that no inner node passes for a leaf.
    """
    return keccak256(struct_hash)
