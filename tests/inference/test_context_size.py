"""What an engine takes of a machine, on machines that are described in a few files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rectune.core.settings import EngineConfig
from rectune.inference import context_size
from rectune.inference.context_size import cores, device_memory, host_memory, size_for

GIB = 2**30
SMALL = {"layers": 30, "embd": 576, "heads": 9, "keys": 3}  # 135M: 23,040 bytes a token
LARGE = {"layers": 32, "embd": 4096, "heads": 32, "keys": 8}  # 7B with grouped keys: 131,072 bytes a token


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Pretends a model and free memory; returns what sizes it."""
    import llama_cpp

    def pretend(
        model: dict[str, int], engine: EngineConfig, limit: int, host: int, device: int = 0, **meta: str
    ) -> Any:
        for name, key in (
            ("n_layer", "layers"),
            ("n_embd", "embd"),
            ("n_head", "heads"),
            ("n_head_kv", "keys"),
        ):
            monkeypatch.setattr(llama_cpp, f"llama_model_{name}", lambda _, key=key: model[key])
        monkeypatch.setattr(context_size, "metadata", lambda _, key: meta.get(key.rpartition(".")[2], ""))
        monkeypatch.setattr(context_size, "host_memory", lambda: host)
        monkeypatch.setattr(context_size, "device_memory", lambda: device)
        return size_for(object(), engine, limit)

    monkeypatch.setattr(context_size, "_GROUPS", tmp_path)
    return pretend


def test_a_small_model_gets_all_slots_it_can_use(machine: Any) -> None:
    size = machine(SMALL, EngineConfig(max_num_seqs=0), 1536, 22 * GIB)
    assert (size.slots, size.cells, size.batch, size.accelerated) == (16, 16 * 1536, 512, False)


def test_slots_that_are_given_stand_and_the_cache_stays_within_memory(machine: Any) -> None:
    size = machine(LARGE, EngineConfig(max_num_seqs=64), 3072, 16 * GIB)
    assert size.slots == 64
    assert size.cells == 8 * GIB // 131_072
    assert (
        machine(SMALL, EngineConfig(max_num_seqs=1000), 64, 22 * GIB).slots < 1000
    )  # what llama.cpp takes at most


def test_a_large_model_on_an_accelerator_is_bounded_by_its_memory(machine: Any) -> None:
    size = machine(LARGE, EngineConfig(max_num_seqs=0), 1536, 100 * GIB, 10 * GIB)
    assert size.slots == 8 * GIB // 131_072 // 1536
    assert size.accelerated
    many = machine(LARGE, EngineConfig(max_num_seqs=0), 1536, 100 * GIB, 130 * GIB)
    assert (many.slots, many.batch) == (64, 2048)
    none = machine(LARGE, EngineConfig(max_num_seqs=0, gpu_layers=0), 1536, 8 * GIB, 130 * GIB)
    assert (none.slots, none.accelerated) == (16, False)


def test_where_layers_are_on_both_sides_the_tighter_one_counts(machine: Any) -> None:
    size = machine(LARGE, EngineConfig(max_num_seqs=64, gpu_layers=16), 1536, GIB, 100 * GIB)
    assert size.cells == GIB // 2 // (131_072 // 2)


def test_widths_that_the_file_states_count(machine: Any) -> None:
    wide = machine(LARGE, EngineConfig(max_num_seqs=64), 512, GIB, key_length="256", value_length="128")
    assert wide.cells == int(GIB / 2 / (131_072 * 1.5))


def test_where_memory_is_tight_one_sequence_is_still_tried(machine: Any) -> None:
    size = machine(LARGE, EngineConfig(max_num_seqs=0), 4096, GIB // 4)
    assert (size.slots, size.cells, size.batch) == (1, 4096, 128)


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 8 * GIB),
        ({"memory.max": "max", "memory.current": "5"}, 8 * GIB),
        ({"memory.max": str(2 * GIB), "memory.current": str(GIB)}, GIB),
        (
            {
                "memory/memory.limit_in_bytes": str(2 * GIB),
                "memory/memory.usage_in_bytes": str(2 * GIB),
                "memory/memory.stat": f"cache 7\ntotal_inactive_file {GIB // 2}",
            },
            GIB // 2,
        ),
    ],
)
def test_a_container_s_memory_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str], free: int
) -> None:
    import psutil

    class Memory:
        available = 8 * GIB

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    monkeypatch.setattr(context_size, "_GROUPS", tmp_path)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert host_memory() == free


@pytest.mark.parametrize(
    ("files", "told", "wanted"),
    [
        ({}, "", 8),
        ({}, "3", 3),
        ({"cpu.max": "max 100000"}, "", 8),
        ({"cpu.max": "250000 100000"}, "", 2),
        ({"cpu.max": "10000 100000"}, "", 1),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, "all", 4),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "", 8),
    ],
)
def test_threads_are_those_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str], told: str, wanted: int
) -> None:
    import psutil

    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 16 if logical else 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)))
    monkeypatch.setattr(context_size, "_GROUPS", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores() == wanted


def test_without_an_accelerator_there_is_no_memory_of_one() -> None:
    import llama_cpp

    assert (device_memory() > 0) == bool(llama_cpp.llama_supports_gpu_offload())
