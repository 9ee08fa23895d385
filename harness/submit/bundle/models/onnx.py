# A graph per fold, with views and preprocessing inside, run by ONNX Runtime.
import os

# From 1.31 on ONNX Runtime tells its maker what it runs, on Linux too, unless it is told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime


class Model(Base):  # noqa: F821
    """Folds as ONNX graphs."""

    def open(self, path):
        """A session for the file of a fold."""
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        there = [name for name in wanted if name in onnxruntime.get_available_providers()]
        return onnxruntime.InferenceSession(str(path), providers=there)

    def run(self, fold, X):
        """Outputs (n, K) of uint8 images by a fold."""
        return fold.run(None, {"pixels": X})[0]
