"""Options for where ranks run and how hosts are reached, the same for every command that starts ranks."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.options import together
from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.launch.gang import CommandBuilder
    from hvdsweep.launch.hosts import Host


@dataclass(frozen=True)
class Where:
    """The values of the options, not checked yet."""

    hosts: str | None = None
    hostfile: Path | None = None
    host_names: str = "{host}"
    network_interface: str | None = None
    remote_shell: str = "auto"

    def machines(self) -> tuple[Host, ...] | None:
        """The hosts, this machine first; None: only this machine. UserError with every mistake in the options.

        Without -H and --hostfile a job of several hosts uses all of them.
        """
        from hvdsweep.launch.allocation import allocation
        from hvdsweep.launch.hosts import Host, check_first_is_here, parse_hostfile, parse_hosts

        self.builder()
        if self.hosts is not None and self.hostfile is not None:
            raise UserError("-H and --hostfile: both name the hosts. Give one of them.")
        source = "-H"
        if self.hostfile is not None:
            machines = parse_hostfile(self.hostfile)
        elif self.hosts is not None and self.hosts != "auto":
            machines = parse_hosts(self.hosts)
        else:
            job = allocation()
            if job is None and self.hosts is not None:
                raise UserError(
                    "-H: auto: this is no job of Slurm, PBS, LSF, Grid Engine or Kubernetes. Name the hosts: -H here:4,there:4."
                )
            if job is None or (self.hosts is None and len(job.hosts) == 1):
                return None
            source, machines = job.source, job.hosts
        if len(machines) > 1:
            machines = tuple(Host(self.host_names.replace("{host}", one.name), one.slots) for one in machines)
        check_first_is_here(machines, source)
        return machines

    def builder(self) -> CommandBuilder:
        """Writes a gang's command line for these hosts. UserError for a wrong pattern, interface or shell."""
        from hvdsweep.launch.horovodrun import HOST, HostNetwork, gang_command

        problems = []
        if self.host_names.count(HOST) != 1 or not re.fullmatch(
            r"[A-Za-z0-9_.-]*", self.host_names.replace(HOST, "")
        ):
            problems.append(
                f"--host-names: {self.host_names}: is no pattern of host names. Write {HOST} once, as in {HOST}-ib0."
            )
        interfaces = tuple(part.strip() for part in (self.network_interface or "").split(",") if part.strip())
        if self.network_interface is not None and not interfaces:
            problems.append(
                "--network-interface: names none. Write a name such as ib0 (`ip -brief address`)."
            )
        shell = self.remote_shell
        if shell == "auto":
            shell = "srun" if "SLURM_JOB_ID" in os.environ and shutil.which("srun") else "ssh"
        elif shell == "srun" and ("SLURM_JOB_ID" not in os.environ or shutil.which("srun") is None):
            lacks = "srun is not on the PATH" if "SLURM_JOB_ID" in os.environ else "this is no Slurm job"
            problems.append(f"--remote-shell: srun: {lacks}. Start hvdsweep in a job, or use ssh.")
        if problems:
            raise UserError(*problems)
        return functools.partial(gang_command, network=HostNetwork(interfaces, shell, self.host_names))


def hosts_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-H`, `--hostfile`, `--host-names`, `--network-interface`, `--remote-shell`, passed as `where: Where`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        where = Where(**{field.name: given.pop(field.name) for field in fields(Where)})
        return command(where=where, **given)

    return together(
        click.option(
            "-H",
            "--hosts",
            metavar="HOSTS",
            help="Machines and their slots (a:4,b:4), this one first; auto: those of this job."
            "  [default: a job of several hosts: all of them, else this machine]",
        ),
        click.option(
            "--hostfile",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A file with a machine and its slots per line: `a slots=4`.",
        ),
        click.option(
            "--host-names",
            metavar="PATTERN",
            default="{host}",
            help="How several hosts are reached, such as {host}-ib0.  [default: by their names]",
        ),
        click.option(
            "--network-interface",
            metavar="NAMES",
            help="Network interfaces for several hosts (ib0,eth0).  [default: one that all have]",
        ),
        click.option(
            "--remote-shell",
            type=click.Choice(["auto", "ssh", "srun"]),
            default="auto",
            help="What starts ranks on other hosts.  [default: srun in a Slurm job, else ssh]",
        ),
    )(gathered)
