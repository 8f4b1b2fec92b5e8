"""What `import rectune` gives."""

import subprocess
import sys

import pytest

import rectune

HEAVY = ("torch", "transformers", "polars", "numpy", "pydantic", "lancedb", "llama_cpp", "matplotlib")


@pytest.mark.parametrize("name", rectune.__all__)
def test_every_public_name_is_there_and_is_listed(name: str):
    assert getattr(rectune, name) is not None and name in dir(rectune)


def test_a_name_that_is_none_is_told():
    with pytest.raises(AttributeError, match="no attribute 'Recomender'"):
        rectune.Recomender  # noqa: B018


def test_the_package_alone_imports_nothing_heavy():
    said = f"import sys, rectune; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
