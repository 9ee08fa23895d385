# The network as torch.export wrote it, with views and preprocessing inside.


class Model(TorchBase):  # noqa: F821
    """The network as torch.export wrote it."""

    def build(self):
        """The network, without weights."""
        return torch.export.load(str(HERE / "graph.pt2")).module()  # noqa: F821

    def proba(self, pixels):
        """Outputs (B, K) of pixels uint8 (B, H, W, C); views are inside the graph."""
        return self.network(pixels)
