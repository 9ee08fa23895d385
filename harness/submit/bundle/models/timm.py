# timm's backbone with its dense layers; views and their combination are the text above.
import timm
import torch
import torch.nn as nn
import torch.nn.functional as F


class Network(nn.Module):
    """Pixels float (B, C, H, W) in [0, 1] -> logits."""

    def __init__(self, spec, channels):
        super().__init__()
        self.side, self.levels = spec["image_size"], spec["levels"]
        self.backbone = timm.create_model(
            spec["backbone"], pretrained=False, in_chans=channels, num_classes=0, **spec["args"]
        )
        self.head = nn.Sequential(*(getattr(nn, kind)(*args) for kind, args in spec["head"]))
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))
        for name in spec["beside"]:
            self.register_buffer(name, torch.zeros(ABOUT["classes"]))  # noqa: F821

    def forward(self, x):
        """float (B, C, H, W) -> logits; numbers in their own unit."""
        x = (x - self.mean) / self.std
        if self.side and x.shape[2:] != (self.side, self.side):
            x = F.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False, antialias=True)
        levels = self.levels
        features = self.backbone(x) if levels is None else with_levels(self.backbone, x, levels)  # noqa: F821
        logits = self.head(features)
        logits = logits + self.logit_shift if hasattr(self, "logit_shift") else logits
        return logits * self.target_std + self.target_mean if hasattr(self, "target_std") else logits


class Model(TorchBase):  # noqa: F821
    """timm's backbone with dense layers of ours."""

    def build(self):
        """The network, without weights."""
        named = [(functions_of(name), weight) for name, weight in ABOUT["views"]]  # noqa: F821
        self.views = [(view, weight / len(views)) for views, weight in named for view in views]
        return Network(ABOUT["network"], ABOUT["channels"]).eval()  # noqa: F821

    def proba(self, pixels):
        """Outputs (B, K) of pixels uint8 (B, H, W, C), over the views."""
        x = pixels.permute(0, 3, 1, 2).float().div(255).contiguous()
        logits = torch.stack([self.network(view(x).contiguous()) for view, _ in self.views])
        weights = torch.tensor([weight for _, weight in self.views], device=self.device).view(-1, 1, 1)
        return combine(logits, weights, ABOUT["combine"], ABOUT["activation"])  # noqa: F821
