"""Runs amend from Python and follows its events. No package is needed: amend is a binary, its events are JSON lines.

    python examples/python/follow_run.py --model sim --prompts prompts/seeds --out runs/from-python
"""

import json
import subprocess
import sys


def events(arguments):
    """The events of a run, one dictionary each, as they happen; raises when the run fails."""
    command = ["amend", "run", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            yield json.loads(line)
    # 0: every prompt gave a row. 1: some were rejected, and the events say which and why.
    if run.returncode not in (0, 1):
        raise RuntimeError(f"amend ended with {run.returncode}; what it said is above")


def main():
    for event in events(sys.argv[1:]):
        match event["event"]:
            case "preflight":
                for model in event["models"]:
                    print(f"{', '.join(model['roles'])}: {model['model']} @ {model['endpoint']}")
            case "progress":
                print(f"{event['rows']} rows, {event['rejects']} rejects, {event['calls']['asked']} calls")
            case "reject":
                print(f"rejected: {event['reason']} {event.get('at') or event.get('prompt_id')}")
            case "exported":
                print(f"dataset in {event['dir']}: {dict(event['rows'])}")
            case "summary":
                print(f"done: {event['rows']} rows of {event['prompts']} prompts in {event['seconds']:.1f} s")


if __name__ == "__main__":
    main()
