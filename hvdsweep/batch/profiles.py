"""Site profiles: a TOML file with the needs of jobs at one site, so that nobody types them at every submission."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hvdsweep.errors import UserError

SHIPPED = Path(__file__).parent / "site"


class Profile(BaseModel):
    """The needs of one site. Every key may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    description: str = ""
    """One line for people."""
    partition: str = ""
    """The queue (Slurm's --partition, PBS and LSF -q)."""
    account: str = ""
    """The account that is charged for the jobs."""
    modules: tuple[str, ...] = Field(default=(), strict=False)
    """Loaded by `module load` before anything else."""
    prologue: str = ""
    """Shell lines that run before hvdsweep in every job."""
    container: str = ""
    """Command in which hvdsweep runs: `apptainer exec --nv image.sif`."""
    program: str = ""
    """The hvdsweep command in a job. Empty: the one that submits."""
    gpus: str = "--gpus-per-node={gpus}"
    """The scheduler's option for {gpus} GPUs on each node: `--gres=gpu:a100:{gpus}`."""
    gpus_per_node: int = Field(default=0, ge=0)
    """GPUs on each node without --gpus-per-node."""
    network_interface: str = ""
    """launch --network-interface."""
    host_names: str = ""
    """launch --host-names."""
    remote_shell: str = ""
    """launch --remote-shell."""
    scratch: str = ""
    """launch --scratch; the job's shell expands it: `$TMPDIR`."""
    launch: tuple[str, ...] = Field(default=(), strict=False)
    """Further options of launch, one each, as a shell reads them: `--checkpoint-every 1`."""
    signal_seconds: int = Field(default=120, ge=10)
    """A job is asked to stop this many seconds before its time limit."""
    options: tuple[str, ...] = Field(default=(), strict=False)
    """Further options of the scheduler, one each: `--exclusive`."""


def places(sweep: Path, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Folders searched for profiles; the first match wins: next to the sweep, the user's own, built-in."""
    config = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "~"), ".config")
    return [sweep.absolute().parent, Path(config).expanduser() / "hvdsweep" / "profiles", SHIPPED]


def load_profile(name: str | None, sweep: Path, environment: Mapping[str, str] = os.environ) -> Profile:
    """The profile with this name (or path); the default one for None. UserError with all mistakes in it."""
    if name is None:
        return Profile()
    folders = places(sweep, environment)
    if "/" in name or name.endswith(".toml"):
        found: Path | None = Path(name)
    else:
        found = next(
            (folder / f"{name}.toml" for folder in folders if (folder / f"{name}.toml").is_file()), None
        )
    if found is None or not found.is_file():
        known = sorted(
            {path.stem for folder in folders[1:] if folder.is_dir() for path in folder.glob("*.toml")}
        )
        raise UserError(
            f"--profile: {name}: no such profile. Write {name}.toml next to the sweep or in {folders[1]}, or take one of: "
            f"{', '.join(known)}."
        )
    try:
        content = tomllib.loads(found.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{found}: cannot be read: {error}.") from None
    try:
        profile = Profile.model_validate(content)
    except ValidationError as error:
        raise UserError(
            *(_problem(found, one["loc"], one["msg"], one["input"]) for one in error.errors())
        ) from None
    if "{gpus}" not in profile.gpus:
        raise UserError(
            f"{found}: gpus: {profile.gpus!r} does not hold {{gpus}}. Write --gpus-per-node={{gpus}}."
        )
    return profile


def _problem(file: Path, location: tuple[int | str, ...], message: str, value: object) -> str:
    key = ".".join(map(str, location))
    if location and location[0] not in Profile.model_fields:
        return f"{file}: {key}: is no key of a profile. Known keys: {', '.join(Profile.model_fields)}."
    return f"{file}: {key}: {value!r}: {message[:1].lower()}{message[1:]}."
