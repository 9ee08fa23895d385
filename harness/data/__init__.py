"""A competition's data: found, decoded once, checked, and handed out as memory maps."""

from harness.data.dataset import Dataset, load_dataset, open_cache

__all__ = ["Dataset", "load_dataset", "open_cache"]
