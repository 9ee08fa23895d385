"""Recipes for a competition that has none of its own: quick, strong, transfer, finetune and columns, by rules on facts of its data.

facts.py  what the rules look at: size, rows, classes, imbalance, task, device, weights at hand
rules.py  the rules, one table of them
"""
