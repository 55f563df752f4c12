"""Whether the files of a data set are intact: published checksums, `SHA256SUMS` next to them, and checksums
inside them."""

from __future__ import annotations

from pathlib import Path

from hvdsweep.errors import UserError
from workloads.datasets import files


def damage(home: files.Home, present: list[Path]) -> list[str]:
    """One sentence for each damaged file among `present`; empty if all are whole.

    Published files are compared by size and checksum; IDX files, CIFAR-10's batches and TFRecords also by their
    structure; and every file listed in a `SHA256SUMS` in the data set's folder (the format of sha256sum) with that.
    """
    published = {file.name: file for file in home.files}
    listed = _listed(files.folder_of(home) / "SHA256SUMS")
    problems = []
    for path in present:
        try:
            if path.name in published:
                files.check(path, published[path.name])
            if path in listed and (found := files.sha256_of(path)) != listed[path]:
                raise UserError(f"{path}: sha256 {found}, but SHA256SUMS has {listed[path]}")
            _own(path)
        except (UserError, OSError) as problem:
            problems.append(str(problem))
    return problems


def _own(path: Path) -> None:
    """Check a file by the checksums and structure inside it."""
    if "ubyte" in path.name:
        from workloads.datasets.mnist import read_idx

        read_idx(path)
    elif path.parent.name == files.CIFAR_FOLDER:
        from workloads.datasets import cifar_10

        cifar_10.verify(path)
    elif "-of-" in path.name and path.parent.name in ("imagenet", "open_images_v4"):
        from workloads.datasets import tfrecords

        tfrecords.verify([path])
    elif path.stat().st_size == 0:
        raise UserError(f"{path}: is empty")
    elif path.suffix.lower() in (".jpeg", ".jpg"):
        with open(path, "rb") as stream:
            begin = stream.read(4)
        # One image of ImageNet is a PNG under a JPEG's name.
        if not begin.startswith((b"\xff\xd8", b"\x89PNG")):
            raise UserError(f"{path}: is no image (it begins with {begin.hex()})")
    elif "-of-" in path.name:
        _read_as_text(path)


def _read_as_text(path: Path) -> None:
    try:
        with open(path, encoding="utf-8") as stream:
            while stream.read(1 << 20):
                pass
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: is not UTF-8 text ({error.reason} at byte {error.start} of a block)"
        ) from error


def _listed(sums: Path) -> dict[Path, str]:
    """The checksums of a file that sha256sum wrote, by absolute path."""
    if not sums.is_file():
        return {}
    entries = [line.split(maxsplit=1) for line in sums.read_text().splitlines() if line.strip()]
    return {sums.parent / name.lstrip("*"): digest for digest, name in entries}
