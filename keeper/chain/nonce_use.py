"""Which transaction used a nonce: found in the blocks, whatever a node says about receipts."""

from keeper.chain.node import Rpc

MAX_DEPTH = 1_024


def user_of(rpc: Rpc, address: str, nonce: int, head: int) -> str | None:
    """Hash of the mined transaction with this nonce, None if it is older than a thousand blocks or is not
    found.

    head: a block in which the nonce is used.
    """
    low, high = max(0, head - MAX_DEPTH), head
    if low > 0 and rpc.nonce(address, low) > nonce:
        return None
    while low < high:  # the first block after which the count is above the nonce
        middle = (low + high) // 2
        if rpc.nonce(address, middle) > nonce:
            high = middle
        else:
            low = middle + 1
    block = rpc.request("eth_getBlockByNumber", hex(high), True)
    for transaction in (block or {}).get("transactions", ()):
        is_ours = transaction["from"].lower() == address.lower()
        if is_ours and int(transaction["nonce"], 16) == nonce:
            return str(transaction["hash"])
    return None
