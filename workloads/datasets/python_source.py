"""The source text of the running Python's standard library, as bytes: a real language-modelling corpus that
is always available.

Each split has a fixed list of files, so no file is in two splits. The first bytes of each list are used, as
many as the catalogue says, so sizes do not depend on the Python version. The text does depend on it;
`describe` gives its checksum.
"""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import numpy as np

from hvdsweep.errors import UserError
from workloads.catalogue import PYTHON_SOURCE_TOKENS, DatasetInfo
from workloads.datasets.dataset import Dataset, Split

FILES = {
    "train": """
        argparse ast asyncio/base_events asyncio/events asyncio/streams asyncio/tasks base64 bdb calendar codecs
        collections/__init__ concurrent/futures/process configparser contextlib csv dataclasses difflib doctest
        email/_header_value_parser email/message enum fractions ftplib functools gettext gzip heapq http/client
        http/cookiejar http/server imaplib importlib/_bootstrap_external inspect ipaddress json/decoder json/encoder
        locale logging/__init__ mailbox multiprocessing/managers multiprocessing/pool optparse os pathlib pickletools
        platform pprint pydoc random shutil smtplib socket statistics subprocess tarfile tempfile threading traceback
        typing urllib/parse urllib/request uuid
    """.split(),  # noqa: SIM905 (eighty names read better as lines of words)
    "val": "bisect dis logging/handlers pickle plistlib posixpath selectors textwrap".split(),  # noqa: SIM905
    "test": "cmd email/header http/cookies mimetypes pstats socketserver weakref xml/dom/minidom".split(),  # noqa: SIM905
}
"""The modules of each split, as paths below the standard library, in reading order."""


def load(info: DatasetInfo) -> Dataset:
    """Sequences of `length` bytes: features int32 [n, length], and labels int32 [n, length], the byte that
    follows each."""
    (length,) = info.input_shape
    splits = {}
    for name, tokens in PYTHON_SOURCE_TOKENS.items():
        text = np.frombuffer(read(name), np.uint8).astype(np.int32)
        count = tokens // length
        features = text[: count * length].reshape(count, length)
        splits[name] = Split(features.copy(), text[1 : count * length + 1].reshape(count, length).copy())
    return Dataset.of(info, **splits, checksum=checksum())


def read(split: str) -> bytes:
    """The bytes of a split: one more than its tokens, for the last label. Raises `UserError` if Python
    has no sources."""
    root, wanted, parts = Path(os.__file__).parent, PYTHON_SOURCE_TOKENS[split] + 1, []
    for module in FILES[split]:
        if wanted <= 0:
            break
        path = root / f"{module}.py"
        try:
            parts.append(path.read_bytes()[:wanted])
        except OSError as error:
            raise UserError(
                f"python_source: {path}: {error.strerror or error}; this data set needs a Python whose standard "
                "library is installed as source files"
            ) from error
        wanted -= len(parts[-1])
    if wanted > 0:
        raise UserError(f"python_source: the files of {split} below {root} are {wanted} bytes too short")
    return b"".join(parts)


def checksum() -> str:
    """SHA-256 of the text of all splits, as hexadecimal digits."""
    digest = hashlib.sha256()
    for split in FILES:
        digest.update(read(split))
    return digest.hexdigest()


def describe() -> str:
    """The text of this Python: version and checksum."""
    return f"Python {platform.python_version()}, sha256 {checksum()}"
