"""One file for each platform; its name is what competition.toml calls it.

A file defines `open_platform(competition, place) -> Platform` (see `harness.submit.platform`), where place is what the ledger
calls it, "NAME" or "NAME:PART"; and, where a competition has parts of its own there (phases), `part(competition) -> str`.
"""
