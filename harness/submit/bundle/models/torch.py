# The network as torch.export wrote it, with views and preprocessing inside.
import torch


class Model(Base):  # noqa: F821
    def __init__(self):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = torch.export.load(str(HERE / "graph.pt2")).module().to(self.device)  # noqa: F821
        super().__init__()

    def open(self, path):
        return {key: torch.from_numpy(a).to(self.device) for key, a in read_arrays(path).items()}  # noqa: F821

    def run(self, fold, X):
        self.network.load_state_dict(fold)
        with torch.inference_mode():
            return self.network(torch.from_numpy(X).to(self.device)).cpu().numpy()
