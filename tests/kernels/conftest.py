"""A loopback Kaggle, and what was played there once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.remote.child_process import Child
from tests.kernels.field import QUICK, Contest, Field, make_project, play_contest, play_field
from tests.kernels.server import Notebooks
from tests.submit import servers


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    servers.skip_without_kaggle()
    server = Notebooks(tmp_path_factory.mktemp("kaggle"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (QUICK | server.environment()).items():
            patch.setenv(name, value)
        shared = Child("harness.remote.kaggle_child")  # which takes a second to start
        patch.setattr("harness.remote.kaggle_client.Child", lambda module: shared)
        yield server
        shared.kill()
    server.close()
    assert server.stray == []


@pytest.fixture(scope="module")
def played(kaggle: Notebooks, tmp_path_factory: pytest.TempPathFactory) -> Field:
    kaggle.reset()
    return play_field(make_project(tmp_path_factory.mktemp("project"), kaggle), kaggle)


@pytest.fixture
def field(played: Field) -> Field:
    played.clear()
    return played


@pytest.fixture(scope="module")
def played_contest(kaggle: Notebooks, tmp_path_factory: pytest.TempPathFactory) -> Contest:
    kaggle.reset()
    return play_contest(make_project(tmp_path_factory.mktemp("contest"), kaggle), kaggle)


@pytest.fixture
def contest(played_contest: Contest) -> Contest:
    played_contest.clear()
    return played_contest
