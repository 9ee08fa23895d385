"""Networks by name: `build_network` turns a recipe's [model] into a module that takes pixels and gives logits."""

from harness.models.registry import build_network, check_model

__all__ = ["build_network", "check_model"]
