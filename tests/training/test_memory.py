"""When a gang counts memory as short."""

from types import SimpleNamespace

import pytest

from hvdsweep.training import memory


@pytest.mark.parametrize(
    ("available", "limit", "used", "short"),
    [
        (50, None, None, False),
        (9, None, None, True),
        (50, "1000", "899", False),
        (50, "1000", "901", True),
        (50, "max", "901", False),
        (50, "nonsense", "nonsense", False),
    ],
)
def test_less_than_a_tenth_free_is_short(available, limit, used, short, tmp_path, monkeypatch):
    """Memory of the machine, or of the control group's limit; a group without a limit is ignored."""
    monkeypatch.setattr(
        memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=available, total=100)
    )
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit + "\n")
        (tmp_path / "memory.current").write_text(used + "\n")
    assert memory.is_short(tmp_path) is short
