"""Months of an MSP's life from one seed: people, payers, partners and the agent do what chance says, and money is counted.

`python -m tests.simulation --seeds 200` (make simulate); a failing seed prints how to see it again.
"""
