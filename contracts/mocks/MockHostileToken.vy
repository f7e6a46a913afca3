# pragma version 0.4.3
"""
@title A token that misbehaves in one chosen way
@license AGPL-3.0-only
@notice Tests only. Balances are honest unless the mode says otherwise.
"""

# 0 honest, 1 takes a fee of 1 %, 2 returns false and moves nothing, 3 returns true and moves nothing, 4 reverts,
# 5 gives 1 % more, 6 calls back, 7 moves but returns nothing, 8 takes 1 % from the sender on top, 9 refuses the listed,
# 10 moves nothing and shows the balances of an honest transfer
HONEST: constant(uint256) = 0
FEE: constant(uint256) = 1
RETURNS_FALSE: constant(uint256) = 2
MOVES_NOTHING: constant(uint256) = 3
REVERTS: constant(uint256) = 4
GIVES_MORE: constant(uint256) = 5
CALLS_BACK: constant(uint256) = 6
RETURNS_NOTHING: constant(uint256) = 7
FEE_ON_TOP: constant(uint256) = 8
BLACKLISTS: constant(uint256) = 9
LIES: constant(uint256) = 10

decimals: public(uint8)
mode: public(uint256)
# what is there, and what is shown beyond it
_balances: HashMap[address, uint256]
_shown: HashMap[address, int256]
# what the call back met: 0 not called, 1 refused, 2 let in
entered: public(uint256)

# refused in mode 9
blacklisted: public(HashMap[address, bool])
# permits seen
permits: public(uint256)

_target: address
_data: Bytes[16384]


@deploy
def __init__(decimals: uint8):
    """
    @param decimals Shown to whoever asks.
    """
    self.decimals = decimals


@external
def set_mode(mode: uint256):
    """
    @param mode From now on.
    """
    self.mode = mode


@external
def set_callback(target: address, data: Bytes[16384]):
    """
    @param target Contract called during every transfer in mode 6.
    @param data Call data.
    """
    self._target = target
    self._data = data
    self.entered = 0


@external
def blacklist(holder: address):
    """
    @param holder Neither pays nor gets tokens in mode 9.
    """
    self.blacklisted[holder] = True


@external
def rebase(holder: address, amount: uint256):
    """
    @param holder Has that much from now on, whatever it had.
    """
    self._balances[holder] = amount


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Says yes to anything, and allows nothing: calls back in mode 6, reverts in mode 4.
    """
    assert self.mode != REVERTS, "hostile: refused"
    if self.mode == CALLS_BACK:
        success: bool = raw_call(self._target, self._data, revert_on_failure=False)
        self.entered = 2 if success else 1
    self.permits += 1


@external
def mint(receiver: address, amount: uint256):
    """
    @param receiver Gets the tokens.
    @param amount From nowhere.
    """
    self._balances[receiver] += amount


@external
@view
def balanceOf(holder: address) -> uint256:
    """
    @param holder Of tokens.
    @return What it is said to have.
    """
    return convert(convert(self._balances[holder], int256) + self._shown[holder], uint256)


@external
def show(holder: address, change: int256):
    """
    @param holder Of tokens.
    @param change To what it has, in all answers from now on.
    """
    self._shown[holder] = change


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @param spender Ignored: everybody may spend.
    @param amount Ignored.
    @return True.
    """
    return True


@external
@raw_return
def transfer(receiver: address, amount: uint256) -> Bytes[32]:
    """
    @param receiver Gets the tokens.
    @param amount To move.
    @return Whether it pretends to have worked.
    """
    return self._answer(self._move(msg.sender, receiver, amount))


@external
@raw_return
def transferFrom(owner: address, receiver: address, amount: uint256) -> Bytes[32]:
    """
    @param owner Pays.
    @param receiver Gets the tokens.
    @param amount To move.
    @return Whether it pretends to have worked.
    """
    return self._answer(self._move(owner, receiver, amount))


@internal
def _move(owner: address, receiver: address, amount: uint256) -> bool:
    """
    @param owner Pays.
    @param receiver Gets the tokens.
    @param amount To move.
    @return Whether it pretends to have worked.
    """
    assert self.mode != REVERTS, "hostile: refused"
    if self.mode == RETURNS_FALSE:
        return False
    if self.mode == MOVES_NOTHING:
        return True
    if self.mode == LIES:
        self._shown[owner] -= convert(amount, int256)
        self._shown[receiver] += convert(amount, int256)
        return True
    if self.mode == CALLS_BACK:
        success: bool = raw_call(self._target, self._data, revert_on_failure=False)
        self.entered = 2 if success else 1
    if self.mode == BLACKLISTS:
        assert not self.blacklisted[owner] and not self.blacklisted[receiver], "hostile: blacklisted"
    self._balances[owner] -= amount
    if self.mode == FEE_ON_TOP:
        self._balances[owner] -= amount // 100
    received: uint256 = amount
    if self.mode == FEE:
        received = amount - amount // 100
    if self.mode == GIVES_MORE:
        received = amount + amount // 100
    self._balances[receiver] += received
    return True


@internal
@view
def _answer(done: bool) -> Bytes[32]:
    """
    @param done What an honest token would say.
    @return It, encoded; or nothing at all.
    """
    if self.mode == RETURNS_NOTHING:
        return b""
    return abi_encode(done)
