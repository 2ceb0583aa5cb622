#!/usr/bin/env python3
"""One Ray task for each of {{SHARDS}} shards. Printed by `amend launch ray`: read it, change it, then

    python3 FILE                        on a node of the cluster, or with `ray job submit`
    {{MERGE}}

amend, the recipe and its prompts must be on every node, at the same paths.{{KEYS}}
"""

import os
import subprocess
import sys

import ray

SHARDS = {{SHARDS}}
RECIPE = {{RECIPE}}
OUT = {{OUT}}
MIRROR = {{MIRROR}}

# Exit codes of amend: done (1: some rows failed), and those that trying again does not mend.
DONE = (0, 1)
HOPELESS = (2, 3)


class StoppedEarly(Exception):
    """A shard that is to be started again: what it answered is not asked again."""


@ray.remote(num_cpus=1, max_retries=20, retry_exceptions=[StoppedEarly])
def run_shard(index):
    command = ["amend", "run", RECIPE, "--shard", f"{index}/{SHARDS}", "--out", OUT]
    if MIRROR:
        command += ["--mirror", MIRROR]
    # A worker that is killed takes amend along, and its successor waits until it is gone. The signal comes when the thread
    # that starts amend ends, so it is started from the thread that waits for it.
    command += ["--die-with-parent", "--wait", "--grace", "25s"]
    code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    if code not in DONE + HOPELESS:
        raise StoppedEarly(f"shard {index}/{SHARDS} ended with exit code {code} on {os.uname().nodename}")
    return code


def main():
    ray.init()
    tasks = {run_shard.remote(index): index for index in range(SHARDS)}
    failed = []
    left = list(tasks)
    while left:
        ready, left = ray.wait(left, num_returns=1)
        index = tasks[ready[0]]
        try:
            code = ray.get(ready[0])
        except Exception as error:  # whatever ended the task, the other shards go on
            print(f"shard {index}/{SHARDS}: {error}", file=sys.stderr)
            code = None
        if code not in DONE:
            failed.append(index)
        print(f"shard {index}/{SHARDS}: exit code {code}; {len(left)} left", flush=True)
    if failed:
        print(f"start again for shards {failed}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
