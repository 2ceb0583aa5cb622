"""Loads a dataset of amend as TRL wants it, and looks at it before anything is trained.

    pip install datasets
    python examples/python/load_in_trl.py runs/first/dataset

`load_dataset` reads the folder by its card: one config for each kind of training.
"""

import sys

from datasets import load_dataset


def main(folder):
    pairs = load_dataset(folder, "preference", split="train")
    supervised = load_dataset(folder, "sft", split="train")
    print(f"{len(pairs)} pairs for DPOTrainer, {len(supervised)} rows for SFTTrainer")

    # Conversational form: `prompt`, `chosen` and `rejected` are lists of messages.
    pair = pairs[0]
    print("prompt:  ", pair["prompt"][-1]["content"])
    print("chosen:  ", pair["chosen"][-1]["content"][:100])
    print("rejected:", pair["rejected"][-1]["content"][:100])

    # Simulated rows teach nothing.
    if any(supervised["simulated"]):
        print("this dataset is simulated: rehearse with it, and do not train on it")

    # from trl import DPOConfig, DPOTrainer
    # DPOTrainer(model="…", args=DPOConfig(output_dir="…"), train_dataset=pairs).train()


if __name__ == "__main__":
    main(sys.argv[1])
