"""What time buys.

budget.py    how much there is in all, and how much is spent
costs.py     what a run will cost: timings of its network, corrected by what runs took
accounts.py  what is left for the next step
"""
