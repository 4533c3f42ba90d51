"""Profiles and prices on disk."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from sandbox.spec.capacity import Prices, Profile
from sandbox.spec.loading import build
from sandbox.spec.source import Source, read_source, source_from_text

__all__ = ["REFERENCE", "load_prices", "load_profile", "profile_text"]

REFERENCE = "reference"
"""Name of the shipped profile."""


def load_profile(name: str | None, own: Path | None) -> tuple[Profile, str]:
    """Return a profile and what to call it.

    Parameters
    ----------
    name
        A file, ``reference`` for the shipped one, or nothing for this machine's, if there is one.
    own
        Where this machine's profile is kept.

    Raises
    ------
    UsageError
        If the file cannot be read or says something impossible.
    """
    if name is None and own is not None and own.is_file():
        return build(Profile, read_source(own)), "of this machine"
    if name is None or name == REFERENCE:
        return build(Profile, _shipped("reference.yaml")), REFERENCE
    return build(Profile, read_source(name)), Path(name).name


def load_prices(path: Path | None) -> Prices:
    """Return prices from a file, or the shipped ones.

    Raises
    ------
    UsageError
        If the file cannot be read or says something impossible.
    """
    return build(Prices, read_source(path) if path is not None else _shipped("prices.yaml"))


def profile_text(profile: Profile) -> str:
    """Return a profile as a file: JSON, which is YAML too."""
    return profile.model_dump_json(indent=2) + "\n"


def _shipped(name: str) -> Source:
    text = resources.files("sandbox.capacity").joinpath(name).read_text(encoding="utf-8")
    return source_from_text(text, name)
