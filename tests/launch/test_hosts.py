"""Hosts: reading them, sharing their slots out, warning where ranks crowd."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.errors import UserError
from hvdsweep.launch.hosts import (
    Host,
    allot,
    as_started,
    check_first_is_here,
    check_gpus,
    crowding,
    is_here,
    parse_hostfile,
    parse_hosts,
)


def test_hosts_are_read_in_their_order() -> None:
    """`-H` keeps the order of hosts and their slots; spaces do not matter."""
    assert parse_hosts("node-1.x:4, 10.0.0.7:2") == (Host("node-1.x", 4), Host("10.0.0.7", 2))


def test_a_hostfile_may_have_comments_and_both_forms(tmp_path: Path) -> None:
    """`name slots=4`, `name:4`, comments and empty lines."""
    path = tmp_path / "hosts"
    path.write_text("# ours\na slots=4  # fast\n\nb:2\nc  slots = 1\n")
    assert parse_hostfile(path) == (Host("a", 4), Host("b", 2), Host("c", 1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "the number of slots is missing"),
        ("a:x", "'x' is not a number of slots"),
        ("a:0", "from 1 to 65,536"),
        ("a:65537", "from 1 to 65,536"),
        ("a:" + "9" * 5000, "not a number of slots"),
        ("a:65536,b:1", "more than 65,536 slots"),
        ("a:-1", "not a number of slots"),
        ("a:2,a:2", "given twice"),
        ("a:2,,b:1", "an empty entry"),
        ("", "an empty entry"),
        ("node[1-4]:2", "scontrol show hostnames"),
        ("fe80::1:2", "not a host name or IPv4 address"),
        ("a b:2", "not a host name"),
    ],
)
def test_mistakes_in_hosts_are_explained(text: str, words: str) -> None:
    """Each mistake is one sentence that says what would be right."""
    with pytest.raises(UserError, match=r"^-H: ") as error:
        parse_hosts(text)
    assert any(words in problem for problem in error.value.problems)


def test_all_mistakes_of_a_hostfile_come_at_once(tmp_path: Path) -> None:
    """Three wrong lines are three problems, each with its line number."""
    path = tmp_path / "hosts"
    path.write_text("a slots=two\nb\nc slots=2\nc slots=1\n")
    with pytest.raises(UserError) as error:
        parse_hostfile(path)
    assert [
        f"line {number}" in problem for number, problem in zip((1, 2, 4), error.value.problems, strict=True)
    ] == [True] * 3


@pytest.mark.parametrize("more", ["max_slots=4", "max-slots=4 # busy", "sockets=2 rack=1"])
def test_what_other_launchers_write_into_host_files_is_named(tmp_path: Path, more: str) -> None:
    """Keys of Open MPI: which are not understood, and that they are to be removed."""
    path = tmp_path / "hosts"
    path.write_text(f"a slots=2 {more}\n")
    key = more.partition(" #")[0]
    with pytest.raises(UserError, match=rf"line 1: .*: '{key}' is not understood.* Remove it\."):
        parse_hostfile(path)


def test_a_missing_or_empty_hostfile_is_explained(tmp_path: Path) -> None:
    """A missing file and one without a host have different messages."""
    with pytest.raises(UserError, match="cannot be read"):
        parse_hostfile(tmp_path / "none")
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(UserError, match="no host given"):
        parse_hostfile(tmp_path / "empty")


def test_the_first_host_must_be_here() -> None:
    """This machine by any of its names is accepted, another one refused by name."""
    check_first_is_here([Host(socket.gethostname(), 1)])
    check_first_is_here([Host("localhost", 1)])
    with pytest.raises(UserError, match=r"far-away\.invalid: the first host must be this machine"):
        check_first_is_here([Host("far-away.invalid", 1), Host("localhost", 1)])
    assert not is_here("192.0.2.1")


def test_other_hosts_must_be_able_to_reach_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first host that resolves to a loopback address is refused together with others; alone it is started as localhost."""
    with pytest.raises(
        UserError, match=r"localhost: means 127\.0\.0\.1 here, which the other hosts cannot reach"
    ):
        check_first_is_here([Host("localhost", 1), Host("far-away.invalid", 1)])
    monkeypatch.setattr(socket, "gethostname", lambda: "me")
    monkeypatch.setattr(socket, "gethostbyname", lambda name: {"me": "127.0.1.1"}[name])
    check_first_is_here([Host("me", 2)])
    assert as_started([Host("me", 2)]) == (Host("localhost", 2),)
    with pytest.raises(UserError, match=r"me: means 127\.0\.1\.1 here"):
        check_first_is_here([Host("me", 2), Host("other", 2)])
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "10.1.1.1")
    check_first_is_here([Host("me", 2), Host("other", 2)])
    assert as_started([Host("me", 2), Host("other", 2)]) == (Host("me", 2), Host("other", 2))


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 12),
    st.integers(1, 6),
)
def test_every_gang_gets_its_ranks_the_first_on_the_first_host(slots: list[int], np: int, gangs: int) -> None:
    """Any hosts, any np: np slots per gang exactly, rank 0 on the first host, and no host overfull while another has room."""
    hosts = [Host(f"h{i}", count) for i, count in enumerate(slots)]
    alloted = allot(hosts, np, gangs)
    assert [sum(host.slots for host in gang) for gang in alloted] == [np] * gangs
    assert all(gang[0].name == "h0" and gang[0].slots >= 1 for gang in alloted)
    used = {
        host.name: sum(one.slots for gang in alloted for one in gang if one.name == host.name)
        for host in hosts
    }
    assert all(used[host.name] <= host.slots for host in hosts[1:])
    if used["h0"] > max(slots[0], gangs):
        assert all(used[host.name] == host.slots for host in hosts[1:])


def test_slots_are_left_for_the_gangs_to_come() -> None:
    """Two gangs of four on two hosts of four: each has its first rank on the first host, and all slots are used."""
    assert allot([Host("a", 4), Host("b", 4)], 4, 2) == [
        (Host("a", 3), Host("b", 1)),
        (Host("a", 1), Host("b", 3)),
    ]


def test_a_gang_with_more_ranks_than_gpus_is_refused_under_nccl(monkeypatch: pytest.MonkeyPatch) -> None:
    """NCCL takes one rank per GPU; Gloo shares; a machine without GPUs, or with enough, is not asked."""
    for built in (True, False):
        monkeypatch.setattr("hvdsweep.training.horovodrun.nccl_built", lambda built=built: built)
        check_gpus(None, 2, 0)
        check_gpus(None, 2, 2)
        check_gpus([Host("localhost", 1), Host("far-away.invalid", 3)], 4, 1)
        with pytest.raises(UserError, match="Ask for --np 1") if built else contextlib.nullcontext():
            check_gpus(None, 2, 1)


def test_crowding_warns_and_does_not_refuse() -> None:
    """More ranks than cores, GPUs or slots: a warning each; as many: none."""
    assert crowding(None, 2, 1, cores=2, gpus=0) == []
    assert "share 2 cores" in crowding(None, 2, 2, cores=2, gpus=0)[0]
    assert "share 1 GPU " in crowding(None, 2, 1, cores=8, gpus=1)[0]
    hosts = [Host("localhost", 2), Host("far-away.invalid", 6)]
    assert crowding(hosts, 4, 2, cores=8, gpus=0) == []
    assert "need 12 slots, the hosts have 8" in crowding(hosts, 4, 3, cores=64, gpus=0)[0]
    assert "3 gangs need a slot each on localhost" in crowding(hosts, 1, 3, cores=64, gpus=0)[0]
