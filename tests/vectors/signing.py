"""What a person signs with a well-known devnet key, and what a wallet must display, written out by hand."""

from typing import Any

from tests.vectors import messages as m

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # the first of every devnet
OWNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
VAULT = "0x0000000000000000000000000000000000007103"
FUND = "0x0000000000000000000000000000000000007104"
USDC, WBTC = m.TOKEN, "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"
TOKENS = {USDC: ("USDC", 6), WBTC: ("WBTC", 8)}

WITHDRAW = (
    "withdraw(uint256,address,uint256,address,(uint8,bytes),bytes)",
    ["uint256", "address", "uint256", "address", "(uint8,bytes)", "bytes"],
    [7, USDC, 2_500_500_000, m.OWNER, (1, b"\x01\x02"), b"\x03"],
)
DEPOSIT = ("deposit(uint256,address,uint256)", ["uint256", "address", "uint256"], [7, WBTC, 1])
CALLS: list[dict[str, Any]] = [
    {
        "name": "withdraw",
        "call": WITHDRAW,
        "display": [
            "Withdraw",
            "From account: 7",
            "Amount: USDC 2500.5",
            f"Paid to: {m.OWNER.lower()}",
        ],
    },
    {"name": "deposit", "call": DEPOSIT, "display": ["Deposit", "To account: 7", "Amount: WBTC 0.00000001"]},
]
SPREAD = {
    **m.ORDER,
    "legs": [
        {"instrument": m.CALL, "quantity": 10**18},
        {"instrument": m.HIGHER_CALL, "quantity": -(10**18)},
    ],
    "units": 3,
    "limit": 12_250_000_000_000_000_000,
    "matcher": m.OWNER,
    "flags": 6,
}
MESSAGES: list[dict[str, Any]] = [
    {
        "name": "order of one leg that anyone may match",
        "descriptor": "eip712-Exchange",
        "primaryType": "Order",
        "contract": m.EXCHANGE,
        "message": m.ORDER,
        "display": [
            "Offer a trade",
            "Account: 7",
            "Units: 10",
            f"Instrument: {m.CALL}",
            "Buys (negative: sells): -0.1 contracts",
            "Pays per unit at most (negative: receives at least): -4.5 USD",
            "Fee of the whole order at most: 1 USD",
            "Valid until: 2025-04-25T07:00:00Z",
            "Conditions: None",
            "Nonce: 1283",
        ],
    },
    {
        "name": "order of a spread through one matcher",
        "descriptor": "eip712-Exchange",
        "primaryType": "Order",
        "contract": m.EXCHANGE,
        "message": SPREAD,
        "display": [
            "Offer a trade",
            "Account: 7",
            "Units: 3",
            f"Instrument: {m.CALL}",
            f"Instrument: {m.HIGHER_CALL}",
            "Buys (negative: sells): 1 contracts",
            "Buys (negative: sells): -1 contracts",
            "Pays per unit at most (negative: receives at least): 12.25 USD",
            "Fee of the whole order at most: 1 USD",
            "Valid until: 2025-04-25T07:00:00Z",
            "Conditions: Reduce only, immediate or cancel",
            f"Only through: {m.OWNER}",
            "Nonce: 1283",
        ],
    },
    {
        "name": "withdrawal",
        "descriptor": "eip712-AttesterQuorum",
        "primaryType": "Withdrawal",
        "contract": m.QUORUM,
        "message": m.WITHDRAWAL,
        "display": [
            "Withdraw",
            "Account: 7",
            "Amount: USDC 2500",
            f"Paid to: {m.OWNER}",
            "Withdrawal nonce: 3",
        ],
    },
    {
        "name": "report",
        "descriptor": "eip712-AttesterQuorum",
        "primaryType": "Reports",
        "contract": m.QUORUM,
        "message": m.ONE_REPORT,
        "display": [
            "Attest margins after one action",
            "Epoch: 1234",
            "Action: 0x" + "09" * 32,
            "Valid until: 2025-04-25T08:00:00Z",
            "Account: 7",
            "Initial margin: 5000 USD",
            "Maintenance margin: 4000 USD",
            "Mark to market: 4321 USD",
            "Mark to market at posted spots: 4300 USD",
            "Maintenance margin at posted spots: 4001 USD",
            "Initial margin added since the record: 777 USD",
            "Mark added since the record: -12 USD",
            "Initial margin that may be added: 10000 USD",
            "Marginal factor: 1.2 x",
            "Book: 0x" + "ab" * 26 + "000003000011",
            "Breakdown: 0x" + "07" * 32,
        ],
    },
    {
        "name": "epoch",
        "descriptor": "eip712-AttesterQuorum",
        "primaryType": "Epoch",
        "contract": m.QUORUM,
        "message": m.EPOCH,
        "display": [
            "Attest margins of all accounts",
            "Epoch: 1234",
            "Snapshot of: 2025-04-25T07:59:00Z",
            "Block: 22345678",
            "Block hash: 0x" + "01" * 32,
            "Snapshot: 0x" + "02" * 32,
            "Methodology: 0x" + "03" * 32,
            "Root of marks and forwards: 0x" + "04" * 32,
            "Root of margins: 0x" + "05" * 32,
            "Spots: 0x" + "06" * 32,
        ],
    },
]

PERMIT_TYPE = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}
FUND_DOMAIN = {
    "name": "Plimsoll Insurance Fund",
    "version": "1",
    "chainId": m.CHAIN_ID,
    "verifyingContract": FUND,
}
PERMITS: list[dict[str, Any]] = [
    {"owner": OWNER, "spender": m.OWNER, "value": value, "nonce": nonce, "deadline": m.EXPIRY}
    for nonce, value in enumerate([0, 1, 25 * 10**17, 2**256 - 1])
]
