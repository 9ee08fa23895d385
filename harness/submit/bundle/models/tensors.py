# Folds as tensors, for the backends that run on torch.
import torch


class TorchBase(Base):  # noqa: F821
    """Folds as weights of one network that torch runs."""

    def __init__(self):
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = self.build().to(self.device)
        super().__init__()

    def open(self, path):
        """A fold's weights on the device."""
        return {key: torch.from_numpy(a).to(self.device) for key, a in read_arrays(path).items()}  # noqa: F821

    def run(self, fold, X):
        """Outputs (n, K) of uint8 images by a fold."""
        self.network.load_state_dict(fold)
        with torch.inference_mode():
            return self.proba(torch.from_numpy(X).to(self.device)).cpu().numpy()
