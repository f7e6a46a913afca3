# pragma version 0.4.3
"""
@title Constants shared by every contract
@license AGPL-3.0-only
@notice The one place for units and protocol bounds. The Python twin is `keeper/units/constants.py`, name for name.
"""

WAD: constant(uint256) = 10**18  # cash, prices, quantities, ratios
PRICE_UNIT: constant(uint256) = 10**10  # WAD per 1e-8: prices and quantities are multiples of this
BASIS_POINTS: constant(uint256) = 10_000
SECONDS_PER_YEAR: constant(uint256) = 31_536_000  # 365 days

MAX_LEGS: constant(uint256) = 128  # per account: valued, flagged, bid on and settled in one transaction
MAX_UNDERLYINGS: constant(uint256) = 32  # one bit each in the packed header and account words
MAX_PROOF: constant(uint256) = 32
MAX_SIGNERS: constant(uint256) = 16
MAX_ORDER_LEGS: constant(uint256) = 4  # of one order: a condor
MAX_COLLATERALS: constant(uint256) = 8  # tokens beside the settlement token
MAX_CHANGES: constant(uint256) = 64  # replayed between a leaf and a flag
MAX_PRICE: constant(uint256) = 2**56 - 1  # in 1e-8 USD, about 720 million USD
MAX_QUANTITY: constant(uint256) = 2**96  # WAD, keeps every product of the payoff walk inside 256 bits

# Instrument kinds
PERP: constant(uint256) = 0
FUTURE: constant(uint256) = 1
CALL: constant(uint256) = 2
PUT: constant(uint256) = 3

# Kinds of a change in the running book hash
CHANGE_FILL: constant(uint8) = 0  # counted in U and Q
CHANGE_UNCOUNTED_FILL: constant(uint8) = 1  # a fill without an instrument leaf
CHANGE_SETTLEMENT: constant(uint8) = 2
CHANGE_COLLATERAL: constant(uint8) = 3  # collateral put in: a record outlives it, like a fill
CHANGE_CONVERSION: constant(uint8) = 4  # collateral sold for cash
CHANGE_AUCTION: constant(uint8) = 5  # a fraction of everything sold in an auction
CHANGE_WITHDRAWAL: constant(uint8) = 6  # collateral taken out
CHANGE_PURCHASE: constant(uint8) = 7  # bought in an auction: counted in U and Q, like a fill

# Ways to pass a margin check
WAY_HEADROOM: constant(uint8) = 0  # the account's record, no signature
WAY_LEAF: constant(uint8) = 1  # leaf of the epoch becomes the record, then headroom
WAY_REPORT: constant(uint8) = 2  # attested margin after the action
WAY_WORST_CASE: constant(uint8) = 3  # fully collateralised, no attester
WAY_REDUCE_REPORT: constant(uint8) = 4  # risk-reducing by report
WAY_REDUCE_AT_MARK: constant(uint8) = 5  # the whole book shrinks at the last attested mark, no attester

# What an operator may do for an account
SCOPE_TRADE: constant(uint8) = 1
SCOPE_WITHDRAW: constant(uint8) = 2
SCOPE_DEPOSIT: constant(uint8) = 4  # of collateral; cash anybody may put in

MAX_FILLS_SINCE_LEAF: constant(uint256) = 64
GRACE_BLOCKS: constant(uint256) = 2  # a superseded epoch's statements pass this much longer after a small move

# Settlement
SETTLEMENT_WINDOW: constant(uint256) = 1_800  # 30 minutes
SETTLEMENT_GRID: constant(uint256) = 300  # 5 minutes
SETTLEMENT_MAX_GAP: constant(uint256) = 120  # a longer gap between epochs does not count
SETTLEMENT_MIN_COVERED: constant(uint256) = 1_440  # 80 % of the window
SETTLEMENT_FALLBACK: constant(uint256) = 86_400  # 24 hours: then the last spot, held flat

# Funding
FUNDING_STEP: constant(int256) = 10**8  # of the index: times a quantity, a multiple of 1e10, it is exact cash
MAX_FUNDING_GAP: constant(uint256) = 28_800  # 8 hours: a rate that nobody renews stops
