"""The file system of a path: SQLite's WAL needs memory shared by its users, which a network cannot provide."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "mmfs", "beegfs", "ceph", "glusterfs"}
) | {
    *("afs", "orangefs", "pvfs2", "panfs", "wekafs", "ocfs2", "gfs2", "9p", "virtiofs"),
}
"""Types whose files another machine may hold open, or whose shared memory is not shared."""

LOCAL_FUSE = frozenset({"fuse.ext4", "fuse.ntfs", "fuse.ntfs-3g", "fuse.fuse-overlayfs", "fuse.lxcfs"})
"""FUSE types on this machine's disk; every other FUSE type counts as a network."""


@dataclass(frozen=True)
class FileSystem:
    """The file system of a path."""

    type: str
    """As in /proc/self/mountinfo ("ext4", "nfs4", "fuse.sshfs"); "unknown" if that cannot be read."""
    mount: str
    """The mount point."""
    network: bool
    """Whether WAL must not be used on it."""


def file_system_of(path: str | os.PathLike[str], mountinfo: str | None = None) -> FileSystem:
    """The file system that holds `path`, or will hold it: that of its nearest existing parent.

    `mountinfo` is the text of /proc/self/mountinfo, read when None.
    """
    if mountinfo is None:
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return FileSystem("unknown", "/", network=False)
    target = os.path.realpath(path)
    best = FileSystem("unknown", "", network=False)
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        columns, kinds = fields.split(" "), rest.split(" ")
        if len(columns) < 5 or not kinds[0]:
            continue
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), columns[4])
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        # A later mount on the same point covers the earlier one.
        if inside and len(mount) >= len(best.mount):
            kind = kinds[0]
            network = kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)
            best = FileSystem(kind, mount, network)
    return best
