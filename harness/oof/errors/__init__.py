"""Where a run is wrong, by class, confidence and group, and which labels it doubts.

run -> analysis -> report (errors.html, errors.csv)
"""
