"""MlflowRegistry: model versions in MLflow, as plain files; an SQLite file or a server by URI.

Sole importer of mlflow. No flavours, so neither pickle nor pandas: a version is the files of a
run, registered under the scenario's name. Nothing is sent anywhere but to the registry.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sandbox.adapters.files import output_errors
from sandbox.errors import SandboxError, UsageError

__all__ = ["MlflowRegistry"]

_FILE = "sqlite:///"
_SERVER = ("http://", "https://")
_FOLDER = "model"
_NONE = ("RESOURCE_DOES_NOT_EXIST",)
_TAKEN = "RESOURCE_ALREADY_EXISTS"
_MOST_IN_TAG = 4000
_PAGE = 1000


class MlflowRegistry:
    """See `Registry`. All methods may be called from any thread.

    The first call opens the registry; on a new SQLite file MLflow takes some seconds to lay out
    its tables.

    Parameters
    ----------
    uri
        ``sqlite:///FILE``, with the files of the models in a folder beside it, or the
        ``http(s)://`` address of a server that also keeps the files.
    scenario
        Name of the registered model.

    Raises
    ------
    UsageError
        If the URI is of another kind.
    """

    def __init__(self, uri: str, scenario: str) -> None:
        if not (uri.startswith(_SERVER) or (uri.startswith(_FILE) and uri != _FILE)):
            raise UsageError(
                "not a registry", where="--registry", got=uri,
                expected="sqlite:///FILE or http://HOST:PORT",
            )  # fmt: skip
        self._uri, self._name = uri, scenario
        self._lock = threading.Lock()
        self._opened: tuple[Any, str] | None = None

    def add(self, files: Mapping[str, bytes], facts: Mapping[str, str]) -> int:
        """See `Registry.add`: the version is seen once all its files are there, not before."""
        with self._errors():
            client, experiment = self._open()
            run = client.create_run(experiment).info
            try:
                with tempfile.TemporaryDirectory() as folder:
                    _write(Path(folder), files)
                    client.log_artifacts(run.run_id, folder, _FOLDER)
                client.set_terminated(run.run_id)
                version = client.create_model_version(
                    self._name, f"{run.artifact_uri}/{_FOLDER}", run.run_id,
                    tags={name: text[:_MOST_IN_TAG] for name, text in facts.items()},
                    await_creation_for=0,
                )  # fmt: skip
            except BaseException:
                with suppress(_refused()):
                    client.set_terminated(run.run_id, "FAILED")
                raise
            return int(version.version)

    def files(self, number: int) -> dict[str, bytes]:
        """See `Registry.files`."""
        with self._errors(), tempfile.TemporaryDirectory() as folder:
            client, _ = self._open()
            version = client.get_model_version(self._name, str(number))
            root = Path(client.download_artifacts(version.run_id, _FOLDER, folder))
            return {
                path.relative_to(root).as_posix(): path.read_bytes()
                for path in sorted(root.rglob("*"))
                if path.is_file()
            }

    def numbers(self) -> tuple[int, ...]:
        """See `Registry.numbers`."""
        with self._errors():
            client, _ = self._open()
            found: list[int] = []
            page = None
            while page is None or page:
                versions = client.search_model_versions(
                    f"name='{self._name}'", max_results=_PAGE, page_token=page
                )
                found += [int(version.version) for version in versions]
                page = versions.token or ""
            return tuple(sorted(found))

    def alias(self, name: str) -> int | None:
        """See `Registry.alias`."""
        with self._errors():
            client, _ = self._open()
            number = client.get_registered_model(self._name).aliases.get(name)
            return None if number is None else int(number)

    def point(self, name: str, number: int | None) -> None:
        """See `Registry.point`."""
        with self._errors():
            client, _ = self._open()
            if number is None:
                client.delete_registered_model_alias(self._name, name)
            else:
                client.set_registered_model_alias(self._name, name, str(number))

    def _open(self) -> tuple[Any, str]:
        """Return a client and the experiment that holds the runs."""
        with self._lock:
            if self._opened is None:
                place = self._place()
                _be_quiet()
                from mlflow.tracking.client import MlflowClient

                client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
                with _unless_taken():
                    client.create_registered_model(self._name)
                found = client.get_experiment_by_name(self._name)
                experiment = found.experiment_id if found else None
                if experiment is None:
                    experiment = client.create_experiment(self._name, artifact_location=place)
                self._opened = client, experiment
            return self._opened

    def _place(self) -> str | None:
        """Return where files go: beside the SQLite file, or where the server wants them."""
        if not self._uri.startswith(_FILE):
            return None
        file = Path(self._uri.removeprefix(_FILE)).absolute()
        folder = file.with_name(f"{file.stem}-models")
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder.as_uri()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from requests import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (_refused(), RequestException, SQLAlchemyError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            hint = "" if getattr(error, "error_code", "") in _NONE else "Is it there, and whole?"
            what = f"the registry says: {said[0][:200]}"
            raise SandboxError(what, where=self._uri, hint=hint) from error


def _refused() -> type[Exception]:
    from mlflow.exceptions import MlflowException

    return MlflowException


@contextmanager
def _unless_taken() -> Iterator[None]:
    try:
        yield
    except _refused() as error:
        if getattr(error, "error_code", "") != _TAKEN:
            raise


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _be_quiet() -> None:
    """Have MLflow send nothing home, draw no bars, and not wait minutes for a server."""
    from mlflow import environment_variables as settings
    from mlflow.telemetry import set_telemetry_client

    wanted: Mapping[Any, object] = {
        settings.MLFLOW_DISABLE_TELEMETRY: True,
        settings.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: False,
        settings.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT: True,
        settings.MLFLOW_HTTP_REQUEST_TIMEOUT: 10,
        settings.MLFLOW_HTTP_REQUEST_MAX_RETRIES: 2,
    }
    for setting, value in wanted.items():
        setting.set(value)
    forget_client: Any = set_telemetry_client
    forget_client()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
