"""`hvdsweep workloads` and `hvdsweep datasets`: what they print, as text and as JSON, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from hvdsweep.cli.datasets import datasets
from hvdsweep.cli.workloads import workloads
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.sweep.load import load_sweep
from tests.workloads.test_small_sets import publish, write_mnist
from workloads import catalogue


def run(command: object, *arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False, standalone_mode=False)  # type: ignore[arg-type]
    return result.stdout


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HVDSWEEP_DATA", str(tmp_path))
    return tmp_path


def test_every_preset_is_listed_with_its_sizes() -> None:
    """One line per preset; JSON has name, parameters, batch sizes and goal as the sweep file says."""
    entries = json.loads(run(workloads, "--json"))
    assert [entry["name"] for entry in entries] == list(catalogue.presets())
    text = run(workloads)
    for entry in entries:
        sweep = load_sweep(entry["name"]).sweep
        assert entry["batch_sizes"] == sweep.studies.batch_sizes
        assert entry["goal"]["value"] == sweep.goal.value
        assert entry["goal"]["maximize"] == ("average_precision" in sweep.goal.metric)
        info = catalogue.dataset_info(sweep.dataset, sweep.dataset_options)
        assert entry["parameters"] == catalogue.parameter_count(sweep.model, info, sweep.model_options)
        assert entry["name"] in text


def test_counts_add_up_what_a_preset_trains() -> None:
    """Studies, trials, steps and examples of ResNet-50 on ImageNet by hand."""
    (entry,) = [
        e
        for e in json.loads(run(workloads, "--counts", "--json"))
        if e["name"].startswith("imagenet/resnet_50")
    ]
    steps = [153_600_000 // 2**k for k in range(6, 14)] + [15_000] * 3
    assert (entry["studies"], entry["trials"]) == (11, 1100)
    assert entry["steps"] == 100 * sum(steps)
    assert entry["examples"] == 100 * sum(n * 2**k for n, k in zip(steps, range(6, 17), strict=True))
    assert "1,100" in run(workloads, "--counts")


def test_a_named_preset_is_its_file() -> None:
    """The output is the TOML itself, so that `> my.toml` starts a sweep of your own."""
    for name, path in list(catalogue.presets().items())[::9]:
        assert run(workloads, name) == path.read_text()
        assert (
            json.loads(run(workloads, name, "--json"))["dataset"]
            == tomllib.loads(path.read_text())["dataset"]
        )


def test_both_are_commands_of_hvdsweep() -> None:
    """`hvdsweep workloads` and `hvdsweep datasets` exist under the program's own name."""
    for name, command in (("workloads", workloads), ("datasets", datasets)):
        assert group.get_command(click.Context(group), name) is command


@pytest.mark.parametrize("command", [workloads, datasets])
def test_an_unknown_name_is_bad_input(command: object) -> None:
    """The message names close ones."""
    name = "imagenet/resnet_5/nesterov_momentum" if command is workloads else "imagnet"
    with pytest.raises(UserError, match="did you mean imagenet"):
        run(command, name)


def test_listing_loads_neither_tensorflow_nor_keras(data: Path) -> None:
    """Both commands answer from the catalogue and from file names alone."""
    code = (
        "import sys; from hvdsweep.cli.workloads import workloads as w; from hvdsweep.cli.datasets import datasets as d; "
        "w.main(['--counts'], standalone_mode=False); d.main([], standalone_mode=False); "
        "d.main(['lm1b', '--json'], standalone_mode=False); "
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_datasets_lists_what_is_here(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Present, missing and built in; a subset is where its parent is; folder and size in bytes."""
    write_mnist(data / "mnist", packed=True)
    publish(data / "mnist", monkeypatch)
    entries = {entry["name"]: entry for entry in json.loads(run(datasets, "--json"))}
    assert list(entries) == catalogue.dataset_names()
    states = {name: entry["state"] for name, entry in entries.items()}
    assert states["digits"] == states["python_source"] == "built in"
    assert states["mnist"] == states["mnist_subsets/mnist_6875"] == "present"
    assert states["cifar_10"] == states["imagenet"] == "missing"
    assert entries["mnist"]["bytes"] == sum(path.stat().st_size for path in (data / "mnist").iterdir())
    text = run(datasets)
    assert str(data) in text
    assert "hvdsweep datasets NAME" in text
    assert str(data / "lm1b") in run(datasets, "lm1b")
    assert "sha256 01ba6038" in run(datasets, "lm1b")
    assert "Python 3" in run(datasets, "python_source")


def test_verify_reads_everything(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole files are verified; a flipped bit is named and ends with exit code 1; a missing set cannot be
    verified."""
    write_mnist(data / "mnist", packed=True)
    publish(data / "mnist", monkeypatch)
    assert json.loads(run(datasets, "mnist", "--verify", "--json"))["state"] == "verified"
    path = data / "mnist" / "train-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[15] ^= 8
    path.write_bytes(bytes(content))
    with pytest.raises(RunFailed, match=r"train-labels-idx1-ubyte\.gz: sha256"):
        run(datasets, "mnist", "--verify")
    with pytest.raises(RunFailed, match="cifar_10: is missing"):
        run(datasets, "cifar_10", "--verify")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("train-00000-of-00001", b"", "is empty"),
        ("train-00000-of-00001", b"\xff\xff", "is not UTF-8"),
        ("train-00000-of-00001", b"changed\n", "but SHA256SUMS has"),
    ],
)
def test_text_shards_are_verified_by_content_and_by_sums(
    name: str, content: bytes, word: str, data: Path
) -> None:
    """Data sets without published checksums are compared with a SHA256SUMS next to them."""
    import hashlib

    folder = data / "common_crawl"
    folder.mkdir()
    shards = {
        "train-00000-of-00001": b"a b\n",
        "heldout-00000-of-00002": b"c\n",
        "heldout-00001-of-00002": b"d\n",
    }
    for shard, text in shards.items():
        (folder / shard).write_bytes(text)
    sums = [f"{hashlib.sha256(text).hexdigest()}  {shard}" for shard, text in shards.items()]
    if "SUMS" in word:
        (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    assert json.loads(run(datasets, "common_crawl", "--verify", "--json"))["state"] == "verified"
    (folder / name).write_bytes(content)
    with pytest.raises(RunFailed, match=word):
        run(datasets, "common_crawl", "--verify")


def test_unpacked_batches_of_cifar_10_are_verified_by_structure(data: Path) -> None:
    """An empty folder is missing data, not a verified set; a short batch and a wrong label are found."""
    folder = data / "cifar_10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    assert json.loads(run(datasets, "cifar_10", "--json"))["state"] == "missing"
    with pytest.raises(RunFailed, match="cifar_10: is missing"):
        run(datasets, "cifar_10", "--verify")
    batch = bytes(3073) * 10_000
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        (folder / name).write_bytes(batch)
    assert json.loads(run(datasets, "cifar_10", "--verify", "--json"))["state"] == "verified"
    for damaged, word in ((batch[:-1], "bytes instead of"), (b"\x0a" + batch[1:], "a label is 10")):
        (folder / "data_batch_3.bin").write_bytes(damaged)
        with pytest.raises(RunFailed, match=rf"data_batch_3\.bin: .*{word}"):
            run(datasets, "cifar_10", "--verify")


def test_files_that_several_sets_share_are_read_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged file of MNIST is reported once, though MNIST's subsets are damaged with it."""
    write_mnist(data / "mnist", packed=False)
    (data / "mnist" / "train-labels-idx1-ubyte").write_bytes(b"")
    result = CliRunner().invoke(datasets, ["--verify", "--json"])
    assert isinstance(result.exception, RunFailed)
    assert str(result.exception).count("train-labels-idx1-ubyte") == 1
    states = {entry["name"]: entry["state"] for entry in json.loads(result.stdout)}
    assert states["mnist"] == states["mnist_subsets/mnist_6875"] == "damaged"
