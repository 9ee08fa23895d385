"""[clusters], [text] and [image] of a recipe: a competition without labels, whose images have captions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.competition.schema import Frozen

Count = Annotated[int, Field(ge=2, le=10_000)]


class TextSpec(Frozen):
    """[text]: how captions become numbers; fitted on the training folds only."""

    embedding: Literal["word2vec", "tfidf"] = "word2vec"
    """Of words for clusters: word2vec (gensim), a caption being the mean of its words; or tfidf: an image's words by
    their rarity, brought to `dimensions` by SVD (LSA). Networks always take word2vec."""
    dimensions: Annotated[int, Field(ge=2, le=2000)] = 100
    """Length of a word's (or, with tfidf, an image's) vector."""
    window: Annotated[int, Field(ge=1, le=100)] = 5
    """word2vec: words to each side that are predicted from."""
    min_count: Annotated[int, Field(ge=1)] = 1
    """Words that are rarer in the training folds are left out."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 5
    """word2vec: passes over the captions."""
    skip_gram: bool = False
    """word2vec: skip-gram instead of a bag of words; slower, better for rare words."""
    captions: Literal["joined", "each"] = "joined"
    """Networks read an image's captions as one sequence, or each by itself, and then pool what they gave."""
    length: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Tokens of a sequence: longer ones are cut, shorter ones padded and masked."""
    caption_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """captions = "each": share of captions that a training step does without; one is always left."""


class ImageSpec(Frozen):
    """[image]: a frozen backbone, run once over all images; nothing of it is fitted on them."""

    backbone: str = "efficientnet_b0"
    """timm's name; pooled features (n, F), 1280 of EfficientNet-B0."""
    weights: str = "pretrained"
    """"pretrained", "package", a .safetensors file, or "scratch" (random filters), as `model.args.weights` of timm models."""
    weights_sha256: str = ""
    """Checksum that a file of weights must have; "" = not checked."""
    size: Annotated[int, Field(ge=8, le=2048)] = 128
    """Side that images are brought to."""


class ClusterSpec(Frozen):
    """[clusters]: what pseudo-labels are made of; fitted on the training folds, or (leaky) on all rows as in the Flickr8k report."""

    source: Literal["images", "captions", "both"] = "images"
    """What is clustered: features of images, vectors of captions, or both side by side, each of equal weight."""
    k: Count | Literal["auto"] = 5
    """Number of clusters; "auto": the best of k_range by balance, silhouette and stability, on the first training rows."""
    k_range: Annotated[tuple[Count, ...], Field(strict=False)] = ()
    """Numbers of clusters that the chart over k in report.html shows."""
    scale: bool = True
    """Bring every feature to mean 0 and variance 1 (StandardScaler); never those of tf-idf, whose variances say what matters."""
    pca: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | None = None
    """Principal components that are kept: their number, or the share of variance they hold."""
    unit: bool = False
    """Bring every row to length 1, so that directions are compared (cosine); always done where two sources are joined."""
    text_weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    """source = "both": length of a row's text part against its image part."""
    n_init: Annotated[int, Field(ge=1, le=1000)] = 10
    """Starts of k-means; the best counts."""
    seeds: Annotated[int, Field(ge=2, le=100)] = 5
    """Seeds whose clusterings are compared to tell how stable they are."""
    labels: Literal["mean", "dominant", "truth"] = "mean"
    """Pseudo-label of an image: cluster of the mean of its captions; the dominant cluster among those of its captions; or no
    pseudo-label but the true kind, where the data have one."""
    picture: Literal["pca", "umap"] = "pca"
    """How report.html draws rows in two dimensions; umap needs pip install umap-learn (extra umap)."""
    leaky: bool = False
    """Fit words, scaler, components and clusters on all rows, those that are scored too, as the Flickr8k report did: the score is
    then no estimate of anything. --leaky sets it."""

    @model_validator(mode="after")
    def _consistent(self) -> ClusterSpec:
        if self.labels == "dominant" and self.source != "captions":
            raise ValueError("labels = 'dominant' is of captions: set source = 'captions'")
        if self.k == "auto" and not self.k_range:
            raise ValueError("k = 'auto' needs k_range, the numbers to choose from")
        return self
