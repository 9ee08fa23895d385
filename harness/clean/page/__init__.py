"""The page in which a person looks at what was found and changes actions: of a row, a family, a kind, or all that a filter shows."""

from harness.clean.page.write import count_table, write_page

__all__ = ["count_table", "write_page"]
