"""What a person with GPUs should run first: one table, in at most 8 minutes on one GPU.

    python -m benchmarks.gpu [--json FILE] [--np N] [--minutes 8]
    python -m benchmarks.gpu --cpu                # the same parts at toy size on the CPU

`doctor`; losses of one rank against the CPU's; milliseconds a step against `model.fit` and against the bare step; GPU memory over
trials; XLA and TensorFloat-32 on and off; several gangs on one GPU, and more ranks than GPUs; with two GPUs or more (`--np`) the
scaling efficiency, NCCL against Gloo, and losses that do not depend on the number of ranks. Each part runs by itself: one that
fails or hangs does not lose the others. Exit code: 0 all is well, 1 a part failed, 2 there is no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.telling import parser_of
from benchmarks.training import SWEEP, under_horovodrun
from hvdsweep.launch.machine import gpus

Figures = dict[str, Any]
PROGRAM = str(Path(sys.executable).with_name("hvdsweep"))
MODELS = {"fc_128": 0.05, "simple_cnn_narrow": 0.01}
"""Models whose losses are compared, and their learning rates."""
SAME_AS_CPU = 1e-3
SAME_ON_RANKS = 1e-4
"""Largest relative difference of a loss."""
PATIENCE = 180.0
"""Seconds for a program that a part starts."""


class Failed(Exception):
    """A part ended with something other than what hvdsweep promises; the words say what."""


@dataclasses.dataclass
class Plan:
    """What to run, and how much of it."""

    cpu: bool
    np: int
    folder: Path
    until: float = float("inf")
    """Of `time.monotonic()`: no program runs longer."""

    @property
    def steps(self) -> int:
        """Updates of a trial."""
        return 40 if self.cpu else 200

    @property
    def presets(self) -> tuple[str, ...]:
        """Presets whose steps are timed."""
        return ("fc",) if self.cpu else ("fc", "simple_cnn", "resnet_8")

    @property
    def environment(self) -> dict[str, str]:
        """Of every program on the device."""
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if self.cpu else {}
        return {**os.environ, **hidden, "TF_CPP_MIN_LOG_LEVEL": "2"}

    @property
    def patience(self) -> float:
        """Seconds that a program may take now. Failed where the time is over."""
        patience = min(PATIENCE, self.until - time.monotonic())
        if patience < 1:
            raise Failed("not begun: the time is over (--minutes)")
        return patience

    def run(self, command: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end. Failed where it takes too long."""
        patience = self.patience
        try:
            return subprocess.run(
                command,
                env={**self.environment, **variables},
                cwd=Path(__file__).parents[1],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"no end within {patience:.0f} s: {' '.join(command[-4:])}") from None


def last_words(ran: subprocess.CompletedProcess[str]) -> str:
    """The last line of what a program printed, and its exit code."""
    lines = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
    return f"exit code {ran.returncode}: {lines[-1].strip() if lines else 'no output'}"


# Parts that run in a process of their own, which has the device for itself.


def train(model: str, steps: int, times: int = 1) -> list[float]:
    """The losses of a trial of a model on the digits, trained so many times on one rank."""
    from hvdsweep.training.network import Network
    from hvdsweep.training.ranks import Ranks
    from hvdsweep.training.study import Study
    from workloads.datasets import load_dataset

    definition = {
        "batch_size": 64,
        "steps": steps,
        "algorithm": "nesterov_momentum",
        "evaluation": {"every": 20, "splits": ["val"], "at_start": True},
        "goal": {"metric": "val/classification_error", "value": 0.0, "maximize": False},
        "stop": "budget",
        "micro_batch": 1024,
    }
    trial = {"seed": 1, "metaparameters": {"learning_rate": MODELS[model], "momentum": 0.9}}
    study = Study(
        Network(load_dataset("digits"), model, {}, None), Ranks(), definition, ("learning_rate", "momentum")
    )
    losses: list[float] = []

    def record(first: int, more: Sequence[float], measured: object, _noise: object = None) -> bool:
        losses.extend(float(loss) for loss in more)
        return False

    for _ in range(times):
        losses.clear()
        study.train(trial, record, lambda: None)
    return losses


def losses(plan: Plan) -> Figures:
    """Every loss of each model."""
    return {model: train(model, plan.steps) for model in MODELS}


def step_time(plan: Plan) -> Figures:
    """Milliseconds a step of hvdsweep's loop, the bare step and `model.fit`, and ratios."""
    from benchmarks.families import family_figures
    from workloads.catalogue import presets

    found: Figures = {}
    for name in plan.presets:
        seconds, rounds = (0.05, 1) if plan.cpu else (1.0, 3)
        found |= {
            f"{name}, {k}": v for k, v in family_figures(presets()[f"small/{name}"], seconds, rounds).items()
        }
    return found


def memory(plan: Plan) -> Figures:
    """MiB in use after one trial and after eleven: of the GPU, without one of this process."""
    import psutil
    import tensorflow as tf

    def used() -> float:
        if tf.config.list_logical_devices("GPU"):
            return float(tf.config.experimental.get_memory_info("GPU:0")["current"]) / 2**20
        return float(psutil.Process().memory_info().rss) / 2**20

    train("fc_128", plan.steps)
    once = used()
    train("fc_128", plan.steps, times=10)
    found = {"after 1 trial: MiB": once, "after 11 trials: MiB": used()}
    if found["after 11 trials: MiB"] > 1.5 * once + 64:
        raise Failed(f"memory grows with trials: {found}")
    if devices := gpus():
        taken = subprocess.run(
            [
                "nvidia-smi",
                "--query-gpu=memory.used",
                "--format=csv,noheader,nounits",
                "-i",
                devices[0].index,
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found |= {
            "of the GPU, by all processes: MiB": float(taken),
            "the GPU has: MiB": devices[0].memory_mib,
        }
        if float(taken) > devices[0].memory_mib / 2:
            raise Failed(f"more than half of the GPU's memory is taken: {found}")
    return found


def precision(plan: Plan) -> Figures:
    """Milliseconds a trial's step with XLA, without, and with TensorFloat-32; the largest difference of a loss."""
    import tensorflow as tf

    found: Figures = {}
    lists = {}
    for name, compile_from, tf32 in (
        ("XLA", 0, False),
        ("no XLA", 2**62, False),
        ("no XLA, TF32", 2**62, True),
    ):
        tf.config.experimental.enable_tensor_float_32_execution(tf32)
        with mock.patch("hvdsweep.training.study.COMPILE_FROM", compile_from):
            train("simple_cnn_narrow", 20)
            began = time.perf_counter()
            lists[name] = train("simple_cnn_narrow", plan.steps)
        # Tracing and compiling are in it: the ratio matters, for trials as short as these.
        found[f"{name}: ms a step, compiling included"] = 1e3 * (time.perf_counter() - began) / plan.steps
        found[f"{name}: largest difference of a loss"] = difference(lists["XLA"], lists[name])
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if found["no XLA: largest difference of a loss"] > SAME_AS_CPU:
        raise Failed(f"losses depend on XLA: {found}")
    return found


def averaging() -> None:
    """On a rank: milliseconds to average gradients on the GPU and in main memory; rank 0 prints them."""
    import horovod.tensorflow as hvd
    import tensorflow as tf

    from hvdsweep.training.probe import _milliseconds
    from hvdsweep.training.rank import take_gpu

    hvd.init()
    take_gpu(tf, hvd.local_rank())
    places = {"NCCL": "/GPU:0"} if hvd.nccl_built() and tf.config.list_logical_devices("GPU") else {}
    found = {}
    for name, place in {**places, "Gloo": "/CPU:0"}.items():
        for megabytes in (1, 64):
            with tf.device(place):
                taken = _milliseconds(hvd, tf.zeros(megabytes * 250_000), f"{name}.{megabytes}")
            found[f"allreduce of {megabytes} MB, {name}: ms"] = taken
    if hvd.rank() == 0:
        print("RESULT " + json.dumps(found), flush=True)


CHILDREN: Mapping[str, Callable[[Plan], Figures]] = {
    "losses": losses,
    "step time": step_time,
    "memory": memory,
    "precision": precision,
}


def child(names: Sequence[str], plan: Plan) -> None:
    """Run parts in this process; one line each."""
    import tensorflow as tf

    from hvdsweep.training.rank import take_gpu

    if not plan.cpu:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", gpus()[0].index)
        take_gpu(tf, 0)
        if not tf.config.list_logical_devices("GPU"):
            sys.exit("TensorFlow sees no GPU. Install its CUDA libraries: make install GPU=1")
    for name in names:
        try:
            found: Figures = {"figures": CHILDREN[name](plan)}
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        print("RESULT " + json.dumps({"part": name, **found}), flush=True)


def in_children(names: Sequence[str], plan: Plan) -> Iterator[tuple[str, Figures | str]]:
    """The parts' figures, or why there are none. Where the process dies, the parts that are left get another one."""
    left = list(names)
    while left:
        mode = ["--cpu"] if plan.cpu else []
        why = ""
        answered = 0
        try:
            ran = plan.run([sys.executable, "-m", "benchmarks.gpu", "--parts", ",".join(left), *mode])
            why = last_words(ran)
            for line in ran.stdout.splitlines():
                if line.startswith("RESULT "):
                    answer = json.loads(line[7:])
                    left.remove(answer["part"])
                    answered += 1
                    yield answer["part"], answer.get("figures") or answer["error"]
        except Failed as error:
            why = str(error)
        if left and not (answered and why.startswith("exit code 0")):
            yield left.pop(0), why


# Parts that start hvdsweep as a user does.


def doctor(plan: Plan) -> Figures:
    """What `hvdsweep doctor` finds."""
    ran = plan.run([PROGRAM, "doctor", "--json", "--db", str(plan.folder / "doctor.db")])
    try:
        checks = json.loads(ran.stdout)["checks"]
    except ValueError:
        raise Failed(last_words(ran)) from None
    kept = (
        "tensorflow",
        "horovod",
        "horovod build",
        "GPUs",
        "allreduce",
        "allreduce on GPUs",
        "TensorFlow's GPUs",
    )
    found = {check["name"]: check["found"] for check in checks if check["name"] in kept}
    wrong = [f"{c['name']}: {c['found']} {c['remedy']}" for c in checks if c["status"] == "failed"]
    if wrong:
        raise Failed("; ".join(wrong))
    return found


def launched(plan: Plan, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`hvdsweep launch` of a small sweep into a database of this name."""
    toml = plan.folder / "sweep.toml"
    toml.write_text(SWEEP.format(steps=plan.steps, every=20, batch_sizes=[32, 64], trials=2))
    return plan.run([PROGRAM, "launch", "--no-curve", *options, "--db", str(plan.folder / name), str(toml)])


def recorded(plan: Plan, name: str) -> list[float]:
    """All losses of a database, in the order of trials."""
    from hvdsweep.opening import open_store

    with open_store(plan.folder / name) as reader:
        trials = sorted(reader.trials().rows, key=lambda trial: (trial.batch_size, trial.number))
        return [float(loss) for trial in trials for loss in reader.losses(trial.id)[1]]


def gangs(plan: Plan) -> Figures:
    """Two gangs share one GPU; a gang with more ranks than GPUs is refused where Horovod averages over NCCL."""
    found: Figures = {}
    first = {} if plan.cpu else {"CUDA_VISIBLE_DEVICES": gpus()[0].index}
    with mock.patch.dict(os.environ, first):
        began = time.perf_counter()
        ran = launched(plan, "gangs.db", "--gangs", "2")
        found["two gangs of one rank on one device"] = last_words(ran)
        found["seconds"] = time.perf_counter() - began
        if ran.returncode:
            raise Failed(f"two gangs do not share a device: {last_words(ran)}")
        ran = launched(plan, "np2.db", "--np", "2")
    found["a gang of two ranks on one device"] = last_words(ran)
    from hvdsweep.training.horovodrun import nccl_built

    refused = not plan.cpu and nccl_built()
    if ran.returncode != (2 if refused else 0):
        raise Failed(
            f"two ranks on one device, which should {'be refused' if refused else 'train'}: {last_words(ran)}"
        )
    return found


def ranks(plan: Plan) -> Figures:
    """Speed and efficiency by number of ranks, NCCL against Gloo, losses on one rank and on several."""
    counts = [np for np in (1, 2, 4, 8) if np < plan.np] + [plan.np]
    toml = "small/fc" if plan.cpu else "small/resnet_8"
    listed = ",".join(map(str, counts))
    seconds = "0.1" if plan.cpu else "3"
    database = str(plan.folder / "scale.db")
    sizes = ["--batch-sizes", "64" if plan.cpu else "256,1024"]
    ran = plan.run(
        [PROGRAM, "scale", "--json", "--np", listed, "--seconds", seconds, *sizes, "--db", database, toml]
    )
    if ran.returncode:
        raise Failed(last_words(ran))
    found: Figures = {}
    for speed in json.loads(ran.stdout)["speeds"]:
        case = f"batch size {speed['batch_size']}, np {speed['np']}"
        found[f"{case}: examples a second"] = speed["examples_per_second"]
        if speed["efficiency"] is not None:
            found[f"{case}: efficiency"] = speed["efficiency"]
    with mock.patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": ""} if plan.cpu else {}):
        try:
            out = under_horovodrun(plan.np, [str(Path(__file__)), "--averaging"], plan.patience)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"averaging over {plan.np} ranks did not end within {error.timeout:.0f} s") from None
    found |= json.loads(out[out.index("RESULT ") + 7 :].splitlines()[0])
    for name, np in (("gangs.db", 1), (f"np{plan.np}.db", plan.np)):
        if not (plan.folder / name).exists():
            ran = launched(plan, name, "--np", str(np))
            if ran.returncode:
                raise Failed(last_words(ran))
    apart = difference(recorded(plan, "gangs.db"), recorded(plan, f"np{plan.np}.db"))
    found[f"losses on 1 rank and on {plan.np}: largest difference"] = apart
    if apart > SAME_ON_RANKS:
        raise Failed(f"losses depend on the number of ranks: relative difference {apart:.2g}")
    return found


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest relative difference of two lists of losses. Failed where their lengths differ, or there is none."""
    if len(one) != len(other) or not one:
        raise Failed(f"{len(one)} losses against {len(other)}")
    return max(abs(a - b) / max(abs(a), abs(b), 1e-12) for a, b in zip(one, other, strict=True))


def against_cpu(device: Figures, plan: Plan) -> Figures:
    """The device's losses compared with the CPU's."""
    code = (
        "import json, sys; from benchmarks import gpu;"
        "print('RESULT ' + json.dumps({model: gpu.train(model, int(sys.argv[1])) for model in gpu.MODELS}))"
    )
    ran = dataclasses.replace(plan, cpu=True).run([sys.executable, "-c", code, str(plan.steps)])
    if "RESULT " not in ran.stdout:
        raise Failed(last_words(ran))
    cpu = json.loads(ran.stdout[ran.stdout.index("RESULT ") + 7 :].splitlines()[0])
    found = {
        f"{model}: largest difference of a loss from the CPU's": difference(device[model], cpu[model])
        for model in MODELS
    }
    if max(found.values()) > SAME_AS_CPU:
        raise Failed(f"losses differ from the CPU's: {found}")
    return found


def parts(plan: Plan) -> Iterator[tuple[str, Figures | str]]:
    """All parts as they end: (name, figures or why there are none)."""

    def guarded(part: Callable[[], Figures]) -> Figures | str:
        try:
            return part()
        # under_horovodrun ends a program that fails by SystemExit.
        except (Exception, SystemExit) as error:
            return str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"

    yield "doctor", guarded(lambda: doctor(plan))
    # On a GPU each has a process of its own: one that hangs takes no other with it.
    for names in [list(CHILDREN)] if plan.cpu else [[name] for name in CHILDREN]:
        for name, found in in_children(names, plan):
            if name == "losses" and not isinstance(found, str):
                yield name, guarded(partial(against_cpu, found, plan))
            else:
                yield name, found
    yield "gangs", guarded(lambda: gangs(plan))
    if plan.np > 1:
        yield "ranks", guarded(lambda: ranks(plan))


def show(name: str, found: Figures | str) -> None:
    """A part of the table."""
    if isinstance(found, str):
        print(f"{name:<12} FAILED  {found}", flush=True)
        return
    for figure, value in found.items():
        text = f"{value:.4g}" if isinstance(value, float) else value
        print(f"{name:<12} {figure:<64} {text}", flush=True)


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--np", type=int, help="ranks to scale to, at least 2 [default: all GPUs, 8 at most]")
    parser.add_argument("--cpu", action="store_true", help="at toy size, on the CPU")
    parser.add_argument("--minutes", type=float, default=8.0, help="begin nothing after so many minutes")
    parser.add_argument("--parts", help=argparse.SUPPRESS)
    parser.add_argument("--averaging", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    options = options_of(arguments)
    if options.averaging:
        averaging()
        return 0
    if options.json and not options.json.absolute().parent.is_dir():
        print(f"--json: {options.json}: its folder does not exist. Make it first.", file=sys.stderr)
        return 2
    devices = () if options.cpu else gpus()
    if not devices and not options.cpu:
        print(
            "No GPU: nvidia-smi shows none that CUDA_VISIBLE_DEVICES leaves. --cpu runs the same parts at toy size on the CPU.",
            file=sys.stderr,
        )
        return 2
    np = options.np or (2 if options.cpu else min(8, len(devices)))
    if not options.cpu and np > len(devices):
        print(f"--np: {np}: this machine has {len(devices)} GPUs. Ask for as many at most.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="hvdsweep-gpu-") as folder:
        plan = Plan(options.cpu, np, Path(folder), time.monotonic() + 60 * options.minutes)
        if options.parts:
            child(options.parts.split(","), plan)
            return 0
        device = "CPU, toy size" if options.cpu else ", ".join(device.name for device in devices)
        answer: dict[str, Any] = {"device": device, "np": np, "parts": {}, "failed": {}}
        for name, found in parts(plan):
            show(name, found)
            answer["failed" if isinstance(found, str) else "parts"][name] = found
            if options.json:
                options.json.write_text(json.dumps(answer, indent=1) + "\n")
    return 1 if answer["failed"] else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
