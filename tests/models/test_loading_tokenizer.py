"""The tokenizer of a GGUF file is read once, and every caller has a copy of its own."""

from rectune.models.loading import gguf_tokenizer
from rectune.models.reference import gguf_file


def test_what_one_caller_changes_no_other_sees() -> None:
    first = gguf_tokenizer(gguf_file("embedded"))
    template, ids = first.chat_template, first("Which film next?").input_ids
    first.chat_template = "other"
    first.add_tokens(["film"])
    second = gguf_tokenizer(gguf_file("embedded"))
    assert second.chat_template == template and second("Which film next?").input_ids == ids
