"""Margin models side by side: ours, and other venues' published ones as data and formulas.

A preset is a module with one function `evaluate(portfolio, market, parameters) -> Requirement` and a JSON
file of the same name with its published parameters: `derive_pm1`, `derive_pm2`, `derive_srm`, `deribit_pm`,
`deribit_standard`, `span`. `parameters.load_parameters("derive-pm2", overrides)` reads them.
"""
