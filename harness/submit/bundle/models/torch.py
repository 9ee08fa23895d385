# The network as torch.export wrote it, with views and preprocessing inside.


class Model(TorchBase):  # noqa: F821
    def build(self):
        return torch.export.load(str(HERE / "graph.pt2")).module()  # noqa: F821

    def proba(self, pixels):
        return self.network(pixels)
