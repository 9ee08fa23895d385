"""Measurements of the harness against its peers; each module is a command and says how it measures."""
