"""Units and protocol bounds, name for name as in `contracts/units/constants.vy` (a test compares them)."""

WAD = 10**18  # cash, prices, quantities, ratios
PRICE_UNIT = 10**10  # WAD per 1e-8: prices and quantities are multiples of this
BASIS_POINTS = 10_000
SECONDS_PER_YEAR = 31_536_000  # 365 days

MAX_LEGS = 128  # per account: valued, flagged, bid on and settled in one transaction
MAX_UNDERLYINGS = 32  # one bit each in the packed header and account words
MAX_PROOF = 32
MAX_SIGNERS = 16
MAX_ORDER_LEGS = 4  # of one order: a condor
MAX_COLLATERALS = 8  # tokens beside the settlement token
MAX_CHANGES = 64  # replayed between a leaf and a flag
MAX_PRICE = 2**56 - 1  # in 1e-8 USD, about 720 million USD
MAX_QUANTITY = 2**96  # WAD, keeps every product of the payoff walk inside 256 bits

# Instrument kinds
PERP = 0
FUTURE = 1
CALL = 2
PUT = 3

# Kinds of a change in the running book hash
CHANGE_FILL = 0  # counted in U and Q
CHANGE_UNCOUNTED_FILL = 1  # a fill without an instrument leaf
CHANGE_SETTLEMENT = 2
CHANGE_COLLATERAL = 3  # collateral put in: a record outlives it, like a fill
CHANGE_CONVERSION = 4  # collateral sold for cash
CHANGE_AUCTION = 5  # a fraction of everything sold in an auction
CHANGE_WITHDRAWAL = 6  # collateral taken out
CHANGE_PURCHASE = 7  # bought in an auction: counted in U and Q, like a fill

# Ways to pass a margin check
WAY_HEADROOM = 0  # the account's record, no signature
WAY_LEAF = 1  # leaf of the epoch becomes the record, then headroom
WAY_REPORT = 2  # attested margin after the action
WAY_WORST_CASE = 3  # fully collateralised, no attester
WAY_REDUCE_REPORT = 4  # risk-reducing by report
WAY_REDUCE_AT_MARK = 5  # the whole book shrinks at the last attested mark, no attester

# What an operator may do for an account
SCOPE_TRADE = 1
SCOPE_WITHDRAW = 2
SCOPE_DEPOSIT = 4  # of collateral; cash anybody may put in

MAX_FILLS_SINCE_LEAF = 64
GRACE_BLOCKS = 2  # a superseded epoch's statements pass this much longer after a small move

# Settlement
SETTLEMENT_WINDOW = 1_800  # 30 minutes
SETTLEMENT_GRID = 300  # 5 minutes
SETTLEMENT_MAX_GAP = 120  # a longer gap between epochs does not count
SETTLEMENT_MIN_COVERED = 1_440  # 80 % of the window
SETTLEMENT_FALLBACK = 86_400  # 24 hours: then the last spot, held flat

# Funding
FUNDING_STEP = 10**8  # of the index: times a quantity, a multiple of 1e10, it is exact cash
MAX_FUNDING_GAP = 28_800  # 8 hours: a rate that nobody renews stops
