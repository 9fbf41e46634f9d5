from __future__ import annotations

import json
import tomllib

import pytest

from engine.data import sample_envs_dir

SAMPLES = sorted(folder.name for folder in sample_envs_dir().iterdir() if (folder / "fumehood.toml").is_file())


def test_the_samples_are_found() -> None:
    assert {"node-npm", "plain-bash", "python-pip"} <= set(SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_edit_of_a_plan_fits_its_file(sample: str) -> None:
    folder = sample_envs_dir() / sample
    environment = tomllib.loads((folder / "fumehood.toml").read_text())
    steps = json.loads((folder / environment["agent"]["plan"]).read_text())["steps"]
    for edit in (step["edit"] for step in steps if "edit" in step):
        assert (folder / edit["path"]).read_text().count(edit["find"]) == 1
    assert sum("final" in step for step in steps) >= 1
