"""ImageNet and Open Images in their true formats, small: order, splits, cutting, and damaged shards."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from hvdsweep.errors import UserError
from workloads import catalogue, stateless
from workloads.datasets import files, imagenet, load_dataset, open_images_v4, photographs, tfrecords

SIDE = 32
INFO = replace(
    catalogue.dataset_info("imagenet"), train=17, val=6, test=3, classes=4, input_shape=(SIDE, SIDE, 3)
)
IMAGES = replace(catalogue.dataset_info("open_images_v4"), classes=5, input_shape=(SIDE, SIDE, 3))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HVDSWEEP_DATA", str(tmp_path))
    return tmp_path


def picture(number: int) -> np.ndarray:
    """A grey image that encodes its number, with its own size."""
    return np.full((40 + number % 3 * 7, 50 - number % 4 * 5, 3), 2 * number, np.uint8)


def number_of(image: np.ndarray) -> int:
    """The number of a picture that went through the pipeline (JPEG is exact on flat grey)."""
    colour = (image.mean((0, 1)) * photographs.DEVIATION + photographs.MEAN) * 255
    return round(float(colour[1]) / 2)


def record(encoded: bytes, labels: list[int]) -> bytes:
    feature = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=labels)),
        "image/filename": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x.JPEG"])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def jpeg(number: int) -> bytes:
    return tf.io.encode_jpeg(picture(number), quality=100, format="rgb").numpy()


def write_shards(folder: Path, part: str, numbers: list[int], labels: Any, shards: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for shard, mine in enumerate(np.array_split(numbers, shards)):
        with tf.io.TFRecordWriter(str(folder / f"{part}-{shard:05}-of-{shards:05}")) as writer:
            for number in mine.tolist():
                writer.write(record(jpeg(number), labels(number)))


def write_imagenet(folder: Path, as_folders: bool) -> None:
    if not as_folders:
        write_shards(folder, "train", list(range(20)), lambda i: [i % 4 + 1], 3)
        write_shards(folder, "validation", list(range(100, 106)), lambda i: [i % 4 + 1], 2)
        return
    for part, numbers in (("train", range(20)), ("val", range(100, 106))):
        for number in numbers:
            place = folder / part / f"n{number % 4:08}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:05}.JPEG").write_bytes(jpeg(number))


def numbers_and_labels(stream: Any, rows: list[list[int]], **more: Any) -> list[tuple[list[int], list[Any]]]:
    blocks = stream.blocks([np.array(block) for block in rows], **more)
    return [([number_of(np.asarray(x)) for x in images], np.asarray(y).tolist()) for images, y in blocks]


@pytest.mark.parametrize("as_folders", [False, True], ids=["records", "folders"])
def test_imagenet_streams_by_number_in_the_asked_order(as_folders: bool, data: Path) -> None:
    """Every example is found by its number, repeatedly and in any order, with its own label; train and
    test part the training images, the validation set is the official one."""
    write_imagenet(data / "imagenet", as_folders)
    dataset = imagenet.load(INFO, INFO)
    assert [len(split) for split in dataset.splits.values()] == [17, 6, 3]
    found = {}
    for name, split in dataset.splits.items():
        ((numbers, labels),) = numbers_and_labels(split.features, [list(range(len(split)))])
        assert labels == [number % 4 for number in numbers]
        found[name] = numbers
    assert sorted(found["train"] + found["test"]) == list(range(20))
    assert sorted(found["val"]) == list(range(100, 106))
    asked = [[5, 0, 16, 5], [1, 2, 3, 4], [9]]
    got = numbers_and_labels(dataset.train.features, asked)
    assert [numbers for numbers, _ in got] == [[found["train"][row] for row in block] for block in asked]


@pytest.mark.parametrize("as_folders", [False, True], ids=["records", "folders"])
def test_halves_of_imagenet(as_folders: bool, data: Path) -> None:
    """Half the images: nested in the whole, other splits unchanged. Half the classes: only those, in every
    split."""
    write_imagenet(data / "imagenet", as_folders)
    whole = imagenet.load(INFO, INFO)
    half = imagenet.load(replace(INFO, name="imagenet_subsets/imagenet_half_images", train=8), INFO)
    assert [len(split) for split in half.splits.values()] == [8, 6, 3]
    every = numbers_and_labels(whole.train.features, [list(range(17))])[0][0]
    some = numbers_and_labels(half.train.features, [list(range(8))])[0][0]
    assert set(some) < set(every)
    classes = imagenet.load(replace(INFO, name="imagenet_subsets/imagenet_half_classes", classes=2), INFO)
    for name, split in classes.splits.items():
        before = numbers_and_labels(whole.splits[name].features, [list(range(len(whole.splits[name])))])[0][0]
        after, labels = numbers_and_labels(split.features, [list(range(len(split)))])[0]
        assert after == [number for number in before if number % 4 < 2]
        assert labels == [number % 4 for number in after]


def test_open_images_have_any_number_of_labels(data: Path) -> None:
    """Lists of classes become rows of 0 and 1, empty lists rows of 0."""
    labels = {0: [3], 1: [], 2: [0, 4], 3: [2, 2, 1]}
    for part in ("train", "validation", "test"):
        write_shards(data / "open_images_v4", part, list(range(4)), lambda i: labels[i], 2)
    dataset = open_images_v4.load(IMAGES)
    ((numbers, found),) = numbers_and_labels(dataset.val.features, [[3, 2, 1, 0]])
    assert numbers == [3, 2, 1, 0]
    assert found == [[int(c in labels[i]) for c in range(5)] for i in (3, 2, 1, 0)]


def bilinear(image: np.ndarray, side: int) -> np.ndarray:
    """Resize with pixel centres at half integers, edges repeated: one output pixel at a time."""
    out = np.zeros((side, side, 3))
    for i in range(side):
        for j in range(side):
            y, x = ((k + 0.5) * n / side - 0.5 for k, n in zip((i, j), image.shape[:2], strict=True))
            for row, wy in ((int(np.floor(y)), 1 - y % 1), (int(np.floor(y)) + 1, y % 1)):
                for column, wx in ((int(np.floor(x)), 1 - x % 1), (int(np.floor(x)) + 1, x % 1)):
                    r, c = min(max(row, 0), image.shape[0] - 1), min(max(column, 0), image.shape[1] - 1)
                    out[i, j] += wy * wx * image[r, c]
    return out


@pytest.mark.parametrize("key", [None, 1, 77, 4_000_000_000])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_cutting_is_the_papers(key: int | None, kind: str) -> None:
    """Centre cut at 256 without a key; with one, jitter in [256, 512], position and mirror as numpy draws
    them."""
    rng = np.random.default_rng(3)
    smooth = np.kron(rng.integers(0, 256, (7, 9, 3)), np.ones((40, 40, 1))).astype(np.uint8)
    encoded = tf.io.encode_png(smooth) if kind == "png" else tf.io.encode_jpeg(smooth, quality=95)
    pixels = tf.io.decode_image(encoded).numpy().astype(float)
    tensor = None if key is None else tf.constant(key, tf.uint32)
    found = photographs.photograph(encoded, tensor, side=56).numpy()

    height, width = pixels.shape[:2]
    if key is None:
        shorter, at_y, at_x, mirror = 256.0, 0.5, 0.5, False
    else:
        draws = stateless.uniform(np.array([key], np.uint32), 4, np)[0]
        shorter, at_y, at_x, mirror = 256 + np.floor(draws[0] * 257), draws[1], draws[2], draws[3] < 0.5
        assert 256 <= shorter <= 512
    size = round(224 * min(height, width) / shorter)
    y, x = round(float(at_y) * (height - size)), round(float(at_x) * (width - size))
    square = bilinear(pixels[y : y + size, x : x + size], 56)
    square = square[:, ::-1] if mirror else square
    expected = (square / 255 - photographs.MEAN) / photographs.DEVIATION
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_keys_decide_the_augmentation_and_nothing_else_does(data: Path) -> None:
    """The same row with the same key is the same image in any block; other keys give other cuts."""
    rng = np.random.default_rng(0)
    (data / "imagenet" / "val").mkdir(parents=True)
    noise = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    path = data / "x.JPEG"
    path.write_bytes(tf.io.encode_jpeg(noise).numpy())
    stream = photographs.PhotographStream(
        photographs.FromFiles(np.array([str(path)] * 3), np.arange(3)), SIDE
    )
    keys = [np.array([7, 8, 7], np.uint32), np.array([8], np.uint32)]
    first, second = [np.asarray(x) for x, _ in stream.blocks([np.array([0, 1, 2]), np.array([0])], keys)]
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(first[1], second[0])
    assert (first[0] != first[1]).any()


def test_blocks_may_differ_in_size(data: Path) -> None:
    """Blocks are returned whole and in order for any sizes; no block at all is no error."""
    write_imagenet(data / "imagenet", as_folders=False)
    stream = imagenet.load(INFO, INFO).train.features
    assert list(stream.blocks([])) == []
    asked = [[3], [1, 2, 0, 4, 5], [6, 7], [8], [9, 10, 11], [12, 13, 14, 15, 16]]
    every = numbers_and_labels(stream, [list(range(17))])[0][0]
    got = numbers_and_labels(stream, asked)
    assert [numbers for numbers, _ in got] == [[every[row] for row in block] for block in asked]


@pytest.mark.parametrize("how", ["cut in data", "cut in frame", "zeros", "empty", "text"])
def test_damaged_shards_are_found_when_indexed(how: str, data: Path) -> None:
    """Truncated shards, zero bytes, empty files and foreign files: the message names the shard, nothing is
    kept."""
    write_imagenet(data / "imagenet", as_folders=False)
    path = data / "imagenet" / "train-00001-of-00003"
    content = path.read_bytes()
    new = {
        "cut in data": content[:-9],
        "cut in frame": content + b"\x01\x02",
        "zeros": bytes(len(content)),
        "empty": b"",
        "text": b"<html>not found</html>",
    }[how]
    path.write_bytes(new)
    with pytest.raises(UserError, match=r"train-00001-of-00003: .*make this shard again"):
        imagenet.load(INFO, INFO)
    assert not list((data / ".index").glob("records-*")) if (data / ".index").exists() else True


def test_a_flipped_byte_is_found_by_reading_and_by_verifying(data: Path) -> None:
    """A record whose frame is right and whose data are not: streaming stops with a message, verifying
    names it."""
    write_imagenet(data / "imagenet", as_folders=False)
    path = data / "imagenet" / "validation-00000-of-00002"
    content = bytearray(path.read_bytes())
    content[200] ^= 4
    path.write_bytes(bytes(content))
    dataset = imagenet.load(INFO, INFO)
    with pytest.raises(UserError, match=r"imagenet: an example cannot be read: .*--verify"):
        list(dataset.val.features.blocks([np.arange(6)]))
    with pytest.raises(UserError, match="validation-00000-of-00002"):
        tfrecords.verify(files.shards(files.HOMES["imagenet"], 1))
    assert tfrecords.verify(files.shards(files.HOMES["imagenet"], 0)) == 20


def test_missing_images_and_missing_sets_are_named(data: Path) -> None:
    """A folder that is not there, too few images, and an image deleted later are three different messages."""
    with pytest.raises(UserError, match=r"image-net\.org"):
        load_dataset("imagenet_subsets/imagenet_half_classes")
    write_imagenet(data / "imagenet", as_folders=True)
    victim = next((data / "imagenet" / "val").rglob("*.JPEG"))
    dataset = imagenet.load(INFO, INFO)
    victim.unlink()
    with pytest.raises(UserError, match="an example cannot be read"):
        list(dataset.val.features.blocks([np.arange(6)]))
    with pytest.raises(UserError, match="5 images instead of 6"):
        imagenet.load(INFO, INFO)
    shutil.rmtree(data / "imagenet" / "train" / "n00000003")
    with pytest.raises(UserError, match="3 folders instead of one for each of 4 classes"):
        imagenet.load(INFO, INFO)


def test_an_index_is_kept_and_made_anew_when_data_change(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second load walks nothing; a longer shard is walked again; a damaged index is no obstacle."""
    write_imagenet(data / "imagenet", as_folders=False)
    paths = files.shards(files.HOMES["imagenet"], 0)
    first = tfrecords.index(paths)
    with monkeypatch.context() as patch:
        patch.setattr(tfrecords, "_walk", lambda path: pytest.fail("walked again"))
        np.testing.assert_array_equal(tfrecords.index(paths).offset, first.offset)
    for kept in (data / ".index").iterdir():
        kept.write_bytes(kept.read_bytes()[:50])
    np.testing.assert_array_equal(tfrecords.index(paths).offset, first.offset)
    write_shards(data / "imagenet", "train", list(range(30)), lambda i: [1], 3)
    assert len(tfrecords.index(paths)) == 30


def test_the_frame_checksum_is_tensorflows() -> None:
    """Masked CRC-32C of the known check value, and of a frame that TensorFlow wrote (all other tests)."""
    crc = 0xE3069283  # CRC-32C of "123456789", RFC 3720
    assert tfrecords.masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
