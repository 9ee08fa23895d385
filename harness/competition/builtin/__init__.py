"""Recipes for a competition that has none of its own: quick, strong and transfer, by rules on facts of its data.

facts.py  what the rules look at: size, rows, classes, imbalance, task, device, weights at hand
rules.py  the rules, one table of them
"""
