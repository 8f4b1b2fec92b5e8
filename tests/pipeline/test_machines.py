"""Machines of a recipe: hostfiles and lists are read or refused line by line, and only their sum is in the key."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.core.runs import RunStore
from rectune.core.settings import Optimisation
from rectune.pipeline.machines import Machine, Team, meeting_point, parse_machines, slurm_place, team_of
from rectune.pipeline.plan import make_plan

ROOT = Path(__file__).parents[2]


def team(**settings: Any) -> Team:
    return team_of(Optimisation.model_validate(settings), "train")


def test_without_machines_it_is_this_one() -> None:
    assert team(processes=3).machines == (Machine("localhost", 3),)
    assert meeting_point(team(processes=3)) == "localhost:0"


def test_a_list_and_a_hostfile_say_the_same(tmp_path: Path) -> None:
    lines = ["node1 slots=4", "# spare: node9", "", "me@node2   slots = 2  # the older one", "node3"]
    (tmp_path / "hosts").write_text("\n".join(lines))
    wanted = (Machine("node1", 4), Machine("me@node2", 2), Machine("node3", 8))
    assert team(processes=8, machines=lines).machines == wanted
    assert team(processes=8, machines=str(tmp_path / "hosts")).machines == wanted
    assert team(processes=8, machines=lines).world == 14
    assert wanted[1].address == "node2"


def test_ranks_follow_the_list() -> None:
    three = Team((Machine("b", 2), Machine("a", 1), Machine("c", 2)))
    assert [three.first_rank(number) for number in range(3)] == [0, 2, 3]
    assert [three.machine_of(rank).host for rank in range(5)] == ["b", "b", "a", "c", "c"]


def test_every_bad_line_is_named_at_once(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("node1 slots=4\nnode2 slots=four\nnode1 slots=2\n-oProxyCommand=x\nnode4 slots=0\na b\n")
    with pytest.raises(UserError) as caught:
        team(machines=str(hosts))
    said = caught.value.found.splitlines()
    assert [line.split(":")[1] for line in said] == ["2", "3", "4", "5", "6"]
    assert "'node2 slots=four' is not `host slots=n`" in said[0] and "named twice" in said[1]


@given(st.text(max_size=60))
def test_no_line_becomes_an_option_of_ssh_or_a_second_command(line: str) -> None:
    try:
        found = parse_machines([line], 1, "hosts")
    except UserError:
        return
    assert all(
        not one.host.startswith("-") and not set(one.host) & set(" ;&|$`'\"\n\\<>(){}*?") for one in found
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"machines": "no/such/file"}, "cannot be read"),
        ({"machines": 2}, "without names cannot be started over ssh"),
        ({"machines": ["# nobody"]}, "names no machine"),
        ({"endpoint": "node1"}, "is not host:port"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        team(**settings)


def test_the_machines_meet_at_the_first_one() -> None:
    host, _, port = meeting_point(team(machines=["127.0.0.1", "node2"])).rpartition(":")
    assert host == "127.0.0.1" and int(port) > 0
    assert meeting_point(team(machines=["node1", "node2"], endpoint="node1:29400")) == "node1:29400"
    by_hand = meeting_point(team(machines=2, launcher="manual"))
    assert by_hand.startswith(f"{socket.gethostname()}:")


def test_a_first_machine_that_is_another_one_is_refused() -> None:
    with pytest.raises(UserError, match=r"192\.0\.2\.1, which is not this one"):
        meeting_point(team(machines=["192.0.2.1", "127.0.0.1"]))


def keys(store: RunStore, *overrides: str) -> dict[str, str]:
    recipe = load_recipe(ROOT / "recipes/tiny.yaml", [f"data.root={ROOT / 'samples'}", *overrides])
    return {step.stage.name: step.key for step in make_plan(recipe, store, "sft")}


def test_the_number_of_processes_is_in_the_key_and_where_they_run_is_not(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    one, four = keys(store), keys(store, "train.processes=4")
    assert one["sft"] != four["sft"] and one["filter"] == four["filter"]
    for same in (
        ("train.machines=[a slots=2, b slots=2]",),
        ("train.machines=[c slots=3, d slots=1]", "train.launcher=manual", "train.endpoint=c:1"),
        ("train.machines=2", "train.launcher=slurm", "train.processes=2"),
    ):
        assert keys(store, *same)["sft"] == four["sft"]


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_slurm_says_which_task_this_is(slurm: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="did not start"):
        slurm_place()
    for name, value in {"PROCID": "1", "NTASKS": "2", "LOCALID": "0"}.items():
        slurm.setenv(f"SLURM_{name}", value)
    assert slurm_place() == (1, 2)
    slurm.setenv("SLURM_LOCALID", "1")
    with pytest.raises(UserError, match="more than one task on a machine"):
        slurm_place()
