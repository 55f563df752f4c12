"""The place of data sets on disk, how to get them, and whether their files are intact. Needs no TensorFlow.

Data are in `$HVDSWEEP_DATA`, else `~/.cache/hvdsweep/data`, one folder per data set. Nothing is
downloaded: the message for a missing file gives address, size and checksum.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.errors import UserError

CIFAR_FOLDER = "cifar-10-batches-bin"
"""The folder into which CIFAR-10's archive unpacks."""
CIFAR_BATCHES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
"""The image files in it, 10,000 images each; the last one is the test set."""


@dataclass(frozen=True)
class DataFile:
    """A file as its authors publish it."""

    name: str
    url: str
    size: int
    """Bytes."""
    sha256: str

    @property
    def raw(self) -> str | None:
        """The name of the unpacked file, if that is accepted too."""
        return self.name.removesuffix(".gz") if self.name.endswith("-ubyte.gz") else None


@dataclass(frozen=True)
class Home:
    """One data set's folder and its contents."""

    folder: str
    files: tuple[DataFile, ...] = ()
    patterns: tuple[tuple[str, ...], ...] = ()
    """In addition to or instead of `files`: for each part of the data, glob patterns of which one must match."""
    how: str = ""
    """How to get it, in addition to the addresses of `files`."""


def _idx(base: str, *files: tuple[int, str]) -> tuple[DataFile, ...]:
    """MNIST's four files, or those of a set in its form, below an address: (bytes, SHA-256) of each."""
    names = [
        f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    ]
    return tuple(DataFile(name, f"{base}{name}", *file) for name, file in zip(names, files, strict=True))


HOMES = {
    home.folder: home
    for home in (
        Home(
            "mnist",
            _idx(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
        ),
        Home(
            "fashion_mnist",
            _idx(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
        ),
        Home(
            "cifar_10",
            (
                DataFile(
                    "cifar-10-binary.tar.gz",
                    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                    170_052_171,
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                ),
            ),
            how="The archive may stay packed, or be unpacked to cifar-10-batches-bin/.",
        ),
        Home(
            "imagenet",
            patterns=(("train-*-of-*", "train/*/*"), ("validation-*-of-*", "val/*/*")),
            how=(
                "ILSVRC 2012 needs an account at https://image-net.org/download (ILSVRC2012_img_train.tar, "
                "147,897,477,120 bytes, sha256 b08200a27a8e34218a0e58fde36b0fe8f73bc377f4acea2d91602057c3ca45bb; "
                "ILSVRC2012_img_val.tar, 6,744,924,160 bytes, sha256 "
                "c7e06a6c0baccf06d8dbeb6577d71efff84673a5dbdd50633ab44f8ea0456ae0). Unpack to folders train/<synset>/ "
                "and val/<synset>/, or convert to TFRecord shards train-00000-of-01024 and validation-00000-of-00128 "
                "with the features image/encoded and image/class/label (1 to 1000)."
            ),
        ),
        Home(
            "open_images_v4",
            patterns=(("train-*-of-*",), ("validation-*-of-*",), ("test-*-of-*",)),
            how=(
                "Images and image-level labels: https://storage.googleapis.com/openimages/web/download.html (version "
                "4). Convert to TFRecord shards train-*-of-*, validation-*-of-*, test-*-of-* with the features "
                "image/encoded (JPEG) and image/class/label (int64 list: the classes, 0 to 7185, verified present)."
            ),
        ),
        Home(
            "lm1b",
            (
                DataFile(
                    "1-billion-word-language-modeling-benchmark-r13output.tar.gz",
                    "http://www.statmt.org/lm-benchmark/1-billion-word-language-modeling-benchmark-r13output.tar.gz",
                    1_792_209_805,
                    "01ba60381110baf7f189dfd2b8374de371e8c9a340835793f190bdae9e90a34e",
                ),
            ),
            (
                ("**/training-monolingual.tokenized.shuffled/news.en-*-of-*",),
                ("**/heldout-monolingual.tokenized.shuffled/news.en.heldout-*-of-*",),
            ),
            how="Unpack it in this folder.",
        ),
        Home(
            "common_crawl",
            patterns=(("train-*-of-*",), ("heldout-*-of-*",)),
            how=(
                "Deduplicated English text of the Common Crawl as plain UTF-8 shards train-*-of-* and at least two of "
                "heldout-*-of-*, one sentence a line (https://data.statmt.org/ngrams/). The paper validates on 6,075 "
                "sentences, as many as LM1B's first held-out shard has: copy LM1B's first two there to do the same."
            ),
        ),
    )
}
"""By folder, which is the data set's name; subsets are in their parent's folder."""


def home_of(dataset: str) -> Home | None:
    """The home of a built-in data set, or of the one that it is a subset of; None for those that need no
    files."""
    name = dataset.rpartition("/")[2]
    for folder, home in HOMES.items():
        if name == folder or (dataset.startswith(f"{folder}_subsets/")):
            return home
    return None


def root() -> Path:
    """The folder of all data: `$HVDSWEEP_DATA`, else `~/.cache/hvdsweep/data`."""
    return Path(os.environ.get("HVDSWEEP_DATA") or Path.home() / ".cache" / "hvdsweep" / "data").expanduser()


def folder_of(home: Home) -> Path:
    """The data set's own folder."""
    return root() / home.folder


def instructions(home: Home) -> str:
    """How to get a folder's contents, for the user: several lines."""
    lines = [f"Get it into {folder_of(home)} (set HVDSWEEP_DATA to keep data elsewhere):"]
    lines += [f"  {file.url}\n    {file.size:,} bytes, sha256 {file.sha256}" for file in home.files]
    return "\n".join([*lines, f"  {home.how}"] if home.how else lines)


def locate(home: Home, file: DataFile) -> Path:
    """The file, compressed or unpacked. Raises `UserError` with instructions if there is neither."""
    candidates = [folder_of(home) / name for name in (file.name, file.raw) if name]
    for path in candidates:
        if path.is_file():
            return path
    looked = " nor ".join(str(path) for path in candidates)
    raise UserError(f"{home.folder}: no {looked}\n{instructions(home)}")


def shards(home: Home, part: int) -> list[Path]:
    """The files of one part of a data set (an index into `Home.patterns`), sorted by name. Raises
    `UserError`."""
    folder = folder_of(home)
    for pattern in home.patterns[part]:
        if found := sorted(path for path in folder.glob(pattern) if path.is_file()):
            return found
    raise _no_shards(home, part)


def _no_shards(home: Home, part: int) -> UserError:
    looked = " nor ".join(str(folder_of(home) / pattern) for pattern in home.patterns[part])
    return UserError(f"{home.folder}: no {looked}\n{instructions(home)}")


def require(home: Home) -> None:
    """Raise `UserError`, with instructions, if some part of a data set is missing.

    Unlike `present` it stops at the first file of a part: listing a million images is slow on a network.
    """
    if home.folder == "cifar_10" or not home.patterns:
        present(home)
    for part, patterns in enumerate(home.patterns):
        paths = (path for pattern in patterns for path in folder_of(home).glob(pattern))
        if not any(path.is_file() for path in paths):
            raise _no_shards(home, part)


def present(home: Home) -> list[Path]:
    """Every existing file of a data set, compressed or unpacked. Raises `UserError` if some part is
    missing."""
    if home.folder == "cifar_10" and (unpacked := folder_of(home) / CIFAR_FOLDER).is_dir():
        if absent := [name for name in CIFAR_BATCHES if not (unpacked / name).is_file()]:
            raise UserError(f"{home.folder}: no {', '.join(absent)} in {unpacked}\n{instructions(home)}")
        return [unpacked / name for name in CIFAR_BATCHES]
    found = [path for part in range(len(home.patterns)) for path in shards(home, part)]
    # If patterns are given, the published archive is only their source.
    return found or [locate(home, file) for file in home.files]


def check(path: Path, file: DataFile) -> None:
    """Compare a published file with its size and checksum. Raises `UserError` for a damaged one; an
    unpacked file has neither."""
    if path.name != file.name:
        return
    size = path.stat().st_size
    if size != file.size:
        raise UserError(f"{path}: {size:,} bytes instead of {file.size:,}; fetch it again from {file.url}")
    if (found := sha256_of(path)) != file.sha256:
        raise UserError(f"{path}: sha256 {found} instead of {file.sha256}; fetch it again from {file.url}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_unpacked(path: Path) -> bytes:
    """The bytes of a file, unpacked if it ends in .gz. Raises `UserError` if it is truncated or
    damaged."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read: {error or type(error).__name__}") from error
