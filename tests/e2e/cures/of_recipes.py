"""Mistakes in recipes, --set, models and code of one's own."""

from __future__ import annotations

import re

from tests.e2e.cures.case import CV, SCRATCH, Case, done, instead, net, options, own_code, quoted, wrong_option

CASES = {
    "unknown recipe": Case(lambda p: None, (*CV[:3], "tny", *CV[4:]), r"Recipes of shapes: tiny", lambda p, s: CV),
    "more folds than rows": Case(
        lambda p: None, (*CV, "--set", "cv.folds=50"), r"--set cv\.folds=16", quoted(r"--set cv\.folds=16")
    ),
    "a key with a letter missing": wrong_option("train.epoch=2", "train.epochs=2", r"did you mean 'train\.epochs'"),
    "a value of another type": wrong_option("train.epochs=two", "train.epochs=2", "valid integer"),
    "a value beyond its range": wrong_option("train.lr=1e30", "train.lr=0.1", "less than or equal to 100"),
    "an unknown view": wrong_option('predict.tta=["hflipp"]', 'predict.tta=["hflip"]', "did you mean 'hflip'"),
    "no view": wrong_option("predict.tta=[]", "predict.tta=['identity']", r"e\.g\. \['identity'\]"),
    "padding beyond the image": wrong_option("augment.pad_crop=40", "augment.pad_crop=11", "less than the shorter side, 12"),
    "colour of grey images": wrong_option("augment.saturation=0.5", "seed=0", "these images are grey; take it out"),
    "more frozen blocks than there are": wrong_option("train.freeze_blocks=9", "seed=0", "leave it out to train all"),
    "an unknown model": wrong_option("model.name=cnnn", "model.name=cnn", "did you mean 'cnn'"),
    "an argument that the model has not": wrong_option(
        "model.args.dropot=0.1", "model.args.dropout=0.1", "did you mean 'dropout'"
    ),
    "a key without a value": wrong_option("train.epochs", "train.epochs=3", "write it as KEY=VALUE, e.g. --set train.epochs=3"),
    "a fold that is not there": Case(
        lambda p: None, (*CV, "--folds", "7"), "folds 0 to 1", instead((*CV, "--folds", "7"), "7", "1")
    ),
    "a loss that explodes": Case(
        lambda p: None,
        (*CV, "--set", "train.lr=100", "--set", "train.optimizer=sgd", "--set", "train.epochs=4"),
        r"Lower it: --set train\.lr=\S+, or limit the gradient: --set train\.clip_norm=1",
        lambda p, s: (*CV, "--set", "train.optimizer=sgd", *re.search(r"--set train\.lr=[^,\s]+", s)[0].split()),
    ),
    "no such device": Case(lambda p: None, (*CV, "--device", "xla:99"), "Take --device cpu", instead((*CV, "--device", "xla:99"), "xla:99", "cpu")),
    "no model of one's own": Case(
        lambda p: None,
        (*CV, "--set", "model.name=custom"),
        "needs build_model in .*competition.py",
        done(own_code(
            "import torch\ndef build_model(height, width, channels, n_classes, stages, batch_norm):\n"
            "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, n_classes))\n"
        )),
    ),
    "a hook that nobody calls": Case(
        own_code("def to_submision(ids, proba, classes):\n    return None\n\ndef score(labels, proba):\n    return 1.0\n"),
        CV,
        r"did you mean 'to_submission'\?\).*prefix it with _",
        done(own_code("def _to_submision(ids, proba, classes):\n    return None\n")),
    ),
    "code that ends the process": Case(
        own_code("import sys\nsys.exit(3)\n"),
        CV,
        "competition.py: could not be imported: SystemExit: 3",
        done(lambda p: (p / "competitions/shapes/competition.py").unlink()),
    ),
    "weights that cannot be fetched": Case(
        net,
        (*SCRATCH, "--set", "model.args.weights=pretrained"),
        r"must be asked for: --set model\.args\.weights=scratch",
        quoted(r"--set model\.args\.weights=scratch"),
    ),
    "weights that are not there": Case(
        net, (*SCRATCH, "--set", "model.args.weights=x.safetensors"), "x.safetensors: not there", options("--set", "model.args.weights=scratch")
    ),
    "a backbone misspelt": Case(
        net, (*SCRATCH, "--set", "model.args.backbone=test_resnett"), "the nearest: test_resnet", options("--set", "model.args.backbone=test_resnet")
    ),
}  # fmt: skip
