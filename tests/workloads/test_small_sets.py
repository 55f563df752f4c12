"""Sets that are always there, MNIST's IDX files and CIFAR-10's batches: splits, values, and every kind of
damage."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from hvdsweep.errors import UserError
from workloads import catalogue
from workloads.datasets import cifar_10, files, load_dataset, mnist, python_source

MNIST = replace(catalogue.dataset_info("mnist"), train=9, val=3, test=4, input_shape=(5, 6, 1))
CIFAR = replace(catalogue.dataset_info("cifar_10"), train=17, val=3, test=6)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HVDSWEEP_DATA", str(tmp_path))
    return tmp_path


def idx(array: np.ndarray) -> bytes:
    """The format of yann.lecun.com: 0, 0, type, dimensions; sizes; bytes."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path, packed: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (12, 5, 6)),
        "train-labels-idx1-ubyte": np.arange(12) % 10,
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (4, 5, 6)),
        "t10k-labels-idx1-ubyte": np.array([9, 8, 7, 6]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx(array)
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    return arrays


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch, home: str = "mnist") -> None:
    """Make the files in `folder` the published ones."""
    entries = []
    for file in files.HOMES[home].files:
        data = (folder / file.name).read_bytes()
        entries.append(replace(file, size=len(data), sha256=hashlib.sha256(data).hexdigest()))
    monkeypatch.setitem(files.HOMES, home, replace(files.HOMES[home], files=tuple(entries)))


def test_digits_is_scikit_learns_every_image_once() -> None:
    """1,297 / 250 / 250 images; together they are exactly scikit-learn's, in [0, 1]."""
    dataset = load_dataset("digits")
    assert [len(split) for split in dataset.splits.values()] == [1297, 250, 250]
    images = np.concatenate([split.features for split in dataset.splits.values()])
    labels = np.concatenate([split.labels for split in dataset.splits.values()])
    bunch = load_digits()
    ours = sorted((*image.ravel().tolist(), label) for image, label in zip(images * 16, labels, strict=True))
    theirs = sorted(
        (*image.ravel().tolist(), label) for image, label in zip(bunch.images, bunch.target, strict=True)
    )
    assert ours == theirs
    assert dataset.info == catalogue.dataset_info("digits")


def test_the_digits_split_never_moves() -> None:
    """The first validation images by scikit-learn's numbering: a change of the permutation would change every
    published result."""
    dataset = load_dataset("digits")
    where = {image.tobytes(): i for i, image in enumerate((load_digits().images / 16).astype(np.float32))}
    found = [where[image.tobytes()] for image in dataset.val.features[:5]]
    assert found == [1252, 1405, 1052, 367, 607]


@pytest.mark.parametrize("length", [64, 100])
def test_python_source_is_the_text_of_its_files(length: int) -> None:
    """Windows of the concatenated modules, each label the byte after; splits share no file."""
    dataset = load_dataset("python_source", {"length": length})
    info = catalogue.dataset_info("python_source", {"length": length})
    assert dataset.info == info
    text = python_source.read("val")
    features, labels = dataset.val.features, dataset.val.labels
    assert features.shape == labels.shape == (info.val, length)
    assert bytes(features.ravel().astype(np.uint8)) == text[: info.val * length]
    np.testing.assert_array_equal(features.ravel()[1:], labels.ravel()[:-1])
    assert bytes(features[0].astype(np.uint8)).startswith(b'"""Bisection')
    names = [name for split in python_source.FILES.values() for name in split]
    assert len(names) == len(set(names))
    assert dataset.checksum == python_source.checksum()
    assert dataset.checksum in python_source.describe()


def test_a_python_without_sources_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library's text is missing or too short the message names the file."""
    monkeypatch.setattr(python_source.os, "__file__", str(tmp_path / "os.py"))
    with pytest.raises(UserError, match=r"argparse\.py: No such file"):
        python_source.read("train")
    for name in python_source.FILES["val"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text("pass")
    with pytest.raises(UserError, match="bytes too short"):
        python_source.read("val")


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gz"])
def test_mnist_reads_its_files(packed: bool, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed or not: every image once, the last three validate, pixels over 255, the test set as it is."""
    arrays = write_mnist(data / "mnist", packed)
    if packed:
        publish(data / "mnist", monkeypatch)
    dataset = mnist.load(MNIST, MNIST)
    images, labels = arrays["train-images-idx3-ubyte"], arrays["train-labels-idx1-ubyte"]
    np.testing.assert_allclose(dataset.val.features[..., 0] * 255, images[9:], atol=1e-4)
    np.testing.assert_array_equal(dataset.val.labels, labels[9:])
    np.testing.assert_array_equal(np.sort(dataset.train.labels), np.sort(labels[:9]))
    for image, label in zip(dataset.train.features, dataset.train.labels, strict=True):
        np.testing.assert_allclose(image[..., 0] * 255, images[label], atol=1e-4)
    assert dataset.test is not None
    np.testing.assert_allclose(
        dataset.test.features[..., 0] * 255, arrays["t10k-images-idx3-ubyte"], atol=1e-4
    )


def test_subsets_of_mnist_are_nested(data: Path) -> None:
    """A smaller subset's images are among a larger one's; validation stays the same."""
    write_mnist(data / "mnist", packed=False)
    sets = [mnist.load(replace(MNIST, name="mnist_subsets/x", train=n), MNIST) for n in (2, 4, 9)]
    for small, large in pairwise(sets):
        np.testing.assert_array_equal(large.train.features[: len(small.train)], small.train.features)
        np.testing.assert_array_equal(large.val.features, small.val.features)


def damaged(content: bytes, how: str) -> bytes:
    return {
        "truncated": content[:-3],
        "empty": b"",
        "short header": content[:7],
        "wrong magic": b"\x00\x00\x0d\x03" + content[4:],
        "not idx": b"<html>" + content,
        "too long": content + b"x",
    }[how]


@pytest.mark.parametrize("how", ["truncated", "empty", "short header", "wrong magic", "not idx", "too long"])
def test_damaged_idx_files_are_found(how: str, data: Path) -> None:
    """Each kind of damage of an unpacked file is a message that names the file."""
    write_mnist(data / "mnist", packed=False)
    path = data / "mnist" / "train-images-idx3-ubyte"
    path.write_bytes(damaged(path.read_bytes(), how))
    with pytest.raises(UserError, match="train-images-idx3-ubyte"):
        mnist.load(MNIST, MNIST)


@pytest.mark.parametrize("change", ["flip", "truncate", "empty"])
def test_a_packed_file_with_a_wrong_checksum_is_found(
    change: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed bit, a missing end and an empty file all differ from the published file."""
    write_mnist(data / "mnist", packed=True)
    publish(data / "mnist", monkeypatch)
    path = data / "mnist" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes({"flip": bytes(content), "truncate": bytes(content[:-4]), "empty": b""}[change])
    word = "sha256" if change == "flip" else "bytes instead of"
    with pytest.raises(UserError, match=rf"t10k-labels-idx1-ubyte\.gz: .*{word}.*fetch it again"):
        mnist.load(MNIST, MNIST)


def test_a_broken_gzip_stream_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    """Even where no checksum is known, a cut or foreign .gz is one message."""
    for name, content in (
        ("a.gz", gzip.compress(b"x" * 99)[:-6]),
        ("b.gz", b"plain"),
        ("c.gz", b"\x1f\x8b\x08" + b"\0" * 30),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: cannot be read"):
            files.read_unpacked(tmp_path / name)


def test_wrong_counts_and_labels_are_found(data: Path) -> None:
    """Files that are whole but hold something else: other sizes, labels above 9, fewer labels than images."""
    folder = data / "mnist"
    write_mnist(folder, packed=False)
    with pytest.raises(UserError, match="train: images"):
        mnist.load(catalogue.dataset_info("mnist"))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(12)))
    with pytest.raises(UserError, match="a label is 11"):
        mnist.load(MNIST, MNIST)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(5)))
    with pytest.raises(UserError, match="labels \\(5,\\)"):
        mnist.load(MNIST, MNIST)


@pytest.mark.parametrize(
    "name", ["mnist", "mnist_subsets/mnist_6875", "solution_quality/fashion_mnist", "cifar_10"]
)
def test_a_missing_set_says_where_it_was_looked_for_and_how_to_get_it(name: str, data: Path) -> None:
    """Folder, address, size and checksum are all in the message."""
    with pytest.raises(UserError) as error:
        load_dataset(name)
    home = files.home_of(name)
    assert home is not None
    message = str(error.value)
    assert str(data / home.folder) in message
    for file in home.files:
        assert file.url in message
        assert f"{file.size:,} bytes" in message
        assert file.sha256 in message


def write_cifar() -> tuple[dict[str, bytes], np.ndarray, np.ndarray]:
    """Four images in each training batch, six in the test batch: label, then red, green, blue rows."""
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (26, 32, 32, 3)).astype(np.uint8), np.arange(26) % 10
    batches = {}
    for number, name in enumerate(files.CIFAR_BATCHES):
        cut = slice(4 * number, 4 * number + 4) if number < 5 else slice(20, 26)
        rows = [
            bytes([label]) + image.transpose(2, 0, 1).tobytes()
            for image, label in zip(images[cut], labels[cut].tolist(), strict=True)
        ]
        batches[name] = b"".join(rows)
    return batches, images, labels


def write_archive(folder: Path, batches: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**batches, "readme.html": b"<p>"}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "archive"])
def test_cifar_10_reads_its_batches(packed: bool, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels last, split in order, each image with mean 0 and deviation 1."""
    batches, images, labels = write_cifar()
    if packed:
        write_archive(data / "cifar_10", batches)
        publish(data / "cifar_10", monkeypatch, "cifar_10")
    else:
        folder = data / "cifar_10" / files.CIFAR_FOLDER
        folder.mkdir(parents=True)
        for name, content in batches.items():
            (folder / name).write_bytes(content)
    dataset = cifar_10.load(CIFAR)
    assert [len(split) for split in dataset.splits.values()] == [17, 3, 6]
    np.testing.assert_array_equal(np.concatenate([s.labels for s in dataset.splits.values()]), labels)
    found = np.concatenate([split.features for split in dataset.splits.values()])
    for ours, image in zip(found, images.astype(float), strict=True):
        np.testing.assert_allclose(ours, (image - image.mean()) / image.std(), rtol=1e-4, atol=1e-5)


def test_a_constant_image_is_standardised_to_zero() -> None:
    """The deviation is never below 1 / sqrt(3072): no division by zero."""
    flat = np.full((1, 32, 32, 3), 7, np.uint8)
    np.testing.assert_array_equal(cifar_10.standardised(flat), 0.0)


@pytest.mark.parametrize("how", ["missing batch", "cut archive", "label", "short batch", "not an archive"])
def test_damaged_cifar_archives_are_found(how: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage inside an archive whose checksum is right, and archives that are none."""
    batches, _, _ = write_cifar()
    if how == "missing batch":
        del batches["data_batch_3.bin"]
    elif how == "label":
        batches["data_batch_2.bin"] = b"\x63" + batches["data_batch_2.bin"][1:]
    elif how == "short batch":
        batches["test_batch.bin"] = batches["test_batch.bin"][:-1]
    path = write_archive(data / "cifar_10", batches)
    if how == "cut archive":
        path.write_bytes(path.read_bytes()[:-2000])
    elif how == "not an archive":
        path.write_bytes(b"not found")
    publish(data / "cifar_10", monkeypatch, "cifar_10")
    word = {"missing batch": "data_batch_3", "label": "a label is 99", "short batch": "bytes instead of"}
    with pytest.raises(UserError, match=word.get(how, "cannot be read as an archive")):
        cifar_10.load(CIFAR)
