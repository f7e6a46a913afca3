# pragma version 0.4.3
"""
@title A smart wallet that signs as told, honest or hostile
@license AGPL-3.0-only
@notice Tests only. Signs (ERC-1271) the digests it was told to; its mode says how it answers.
"""


interface Counter:
    def count(): nonpayable


MAGIC: constant(bytes4) = 0x1626ba7e
HONEST: constant(uint8) = 0
REVERTING: constant(uint8) = 1
SILENT: constant(uint8) = 2
LONG: constant(uint8) = 3
ENDLESS: constant(uint8) = 4
WRITING: constant(uint8) = 5
WRONG: constant(uint8) = 6

calls: public(uint256)
mode: uint8
signed: HashMap[bytes32, HashMap[bytes32, bool]]


@external
def set_mode(mode: uint8):
    self.mode = mode


@external
def sign(digest: bytes32, signature: Bytes[1024]):
    self.signed[digest][keccak256(signature)] = True


@external
def count():
    self.calls += 1


@external
@raw_return
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> Bytes[8192]:
    if self.mode == REVERTING:
        raise "wallet: no"
    if self.mode == SILENT:
        return b""
    if self.mode == ENDLESS:
        for i: uint256 in range(10**9):
            pass
    if self.mode == WRITING:
        extcall Counter(self).count()
    known: bool = self.signed[digest][keccak256(signature)]
    answer: bytes32 = empty(bytes32)
    if known and self.mode != WRONG:
        answer = convert(MAGIC, bytes32)
    if self.mode == LONG:
        return abi_encode(answer, empty(bytes32[200]))
    return abi_encode(answer)
