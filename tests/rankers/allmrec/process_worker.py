"""One of the processes of a small training: `python -m tests.rankers.allmrec.process_worker FORM FILE`."""

from __future__ import annotations

import sys

from rectune.models.distributed import is_first, join_group, join_processes, process_count

BATCH = 5  # of all processes together: their parts are not equal


def main(form: str, file: str) -> None:
    """Train; the first process writes the losses and what was trained."""
    join_processes(0)
    import torch

    from rectune.rankers.allmrec.list_ranker import ListLoss
    from rectune.rankers.allmrec.llm_training import LlmTrainer, LlmTrainingOptions
    from rectune.rankers.allmrec.llmsrec import SRecLoss, SRecModule
    from rectune.rankers.allmrec.ranker import TitleLoss
    from rectune.rankers.allmrec.soft_inputs import SoftInputs
    from rectune.rankers.allmrec.soft_ranker import Sizes
    from tests.rankers.allmrec.soft_world import ITEM_DIM, USER_DIM, cases, soft_parts, tiny_model

    torch.set_num_threads(1)
    model, given = tiny_model(), cases(13)
    join_group()
    writer, inputs = soft_parts()
    if form == "allmrec":
        module, loss = inputs.projections, TitleLoss(writer, inputs, given, 4, {}, 0.0, 0)
    elif form == "allmrec_list":
        module = inputs.projections
        loss = ListLoss(writer, inputs, dict.fromkeys(given.item_ids, ()), 0.0, 0)
    else:
        sizes = Sizes(USER_DIM, ITEM_DIM, model.width, model.state_width)
        module = SRecModule(inputs.projections, sizes, model.norm, 0)
        inputs = SoftInputs(model, inputs.space, module.projections, module.out)
        loss = SRecLoss(module, writer, inputs, given, 5, 1.0, 0.1, 0)
    options = LlmTrainingOptions(learning_rate=2e-3, batch_size=BATCH, epochs=2)
    record = LlmTrainer(model, module, given, loss, options).train()
    if is_first():
        found = {"train": record.train, "held_out": record.held_out, "parts": record.parts}
        torch.save({**found, "processes": process_count(), "state": module.state_dict()}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
