"""Ranks without Horovod: one process that answers `hvdsweep scale` as FAKE_TIMING in the environment tells it.

Every case takes 10 steps of 1 / (100 np) seconds. "crash N": die after N answers. "hang": never answer. "error": the first
case cannot be built. "steep": steps of 1 / (100 np^2) seconds, so that more ranks always pay. "child": start a grandchild in a
session of its own, then hang.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("np", "cases", "out", "seconds", "logs", "supervisor", "threads"):
        parser.add_argument(f"--{name}")
    options = parser.parse_args()
    mode, _, number = os.environ.get("FAKE_TIMING", "").partition(" ")
    Path(options.logs, "rank-0.log").write_text("hello\n")
    out = Path(options.out)

    def say(line: dict[str, object]) -> None:
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")

    if mode == "child":
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        subprocess.Popen(command, start_new_session=True)
        say({"ready": int(options.np)})
    if mode in ("hang", "child"):
        time.sleep(600)
    say({"ready": int(options.np)})
    for place, case in enumerate(json.loads(Path(options.cases).read_text())):
        if mode == "crash" and place == int(number):
            Path(options.logs, "rank-0.log").write_text(
                "Traceback (most recent call last):\nMemoryError: no room\n"
            )
            sys.exit(3)
        if mode == "error" and place == 0:
            say({"case": place, "error": "ValueError: no such layer"})
            continue
        assert case["metaparameters"]["learning_rate"] == 0.0
        say({"case": place, "steps": 10, "seconds": 0.1 / int(options.np) ** (2 if mode == "steep" else 1)})


if __name__ == "__main__":
    main()
