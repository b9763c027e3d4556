"""Trained models in MLflow's registry: in the workspace's own database, or on a tracking server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from forecasting.adapters._atomic import slug
from forecasting.adapters._mlflow import DATABASE, metric_name, mlflow_errors, start_database
from forecasting.adapters.learned_files import read_learned, write_learned
from forecasting.adapters.served_model import LEVELS, SCRIPT, ServedSettings, settings_from
from forecasting.terms.errors import InputError
from forecasting.terms.learned import Learned
from forecasting.terms.registry import ModelRecord, ModelVersion, RunRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunInfo
    from mlflow.entities.model_registry import ModelVersion as Found

_MOST_VALUES = 1000
_MOST_PARAMS = 100
_LONGEST_PARAM, _LONGEST_TAG = 500, 4000
_PAGE = 200


class MlflowRegistry:
    """Registered models, their versions and aliases.

    Parameters
    ----------
    folder : Path
        The workspace's ``.forecasting`` folder; used where there is no server.
    experiment : str
        Experiment of the runs.
    server : str
        URI of a tracking server (http or https); empty = ``mlflow.db`` in the folder. It is never shown.

    Raises
    ------
    InputError
        Where the URI is none of a server.

    Examples
    --------
    >>> MlflowRegistry(Path("w/.forecasting"), experiment="airports").place
    'mlflow.db'
    >>> MlflowRegistry(Path("w"), experiment="airports", server="https://me:secret@mlflow.example:5000/x").place
    'mlflow.example:5000'
    """

    def __init__(self, folder: Path, *, experiment: str, server: str = "") -> None:
        self.folder, self.experiment, self._server = folder, experiment, server
        self.place = DATABASE
        if server:
            self.place = _host(server)

    def log(self, record: ModelRecord) -> ModelVersion:
        """Keep a trained model as a run and as a new version of the registered model; no alias is set.

        Raises
        ------
        StoreError
            Where the database or the server refuses or is out of reach.
        """
        with self._client() as client, tempfile.TemporaryDirectory(prefix="forecasting-model-") as made:
            place = Path(made)
            _lay_out(place, record)
            info = self._run(client, record, place)
            if not client.search_registered_models(f"name = '{_quoted(record.name)}'", max_results=1):
                client.create_registered_model(record.name)
            tags = {key: value[:_LONGEST_TAG] for key, value in record.tags.items()}
            source = f"{info.artifact_uri}/model"
            found = client.create_model_version(record.name, source=source, run_id=str(info.run_id), tags=tags)
            return _version(found, ())

    def log_run(self, record: RunRecord) -> str:
        """Keep a measurement without a model, such as a league, as a run; return ``runs:/<id>``.

        Raises
        ------
        StoreError
            Where the database or the server refuses or is out of reach.
        """
        with self._client() as client, tempfile.TemporaryDirectory(prefix="forecasting-run-") as made:
            _write_texts(Path(made), record)
            return f"runs:/{self._run(client, record, Path(made)).run_id}"

    def check(self) -> None:
        """Refuse now what could not be logged later: MLflow that is not installed, a database that cannot be opened.

        Raises
        ------
        StoreError
        """
        with self._client():
            pass

    def _run(self, client: MlflowClient, record: RunRecord, place: Path) -> RunInfo:
        """Write params, metrics and the files of a folder as one finished run."""
        from mlflow.entities import Metric, Param

        run = client.create_run(self._experiment_id(client), run_name=record.run_name, tags=dict(record.tags))
        number = run.info.run_id
        metrics = [Metric(metric_name_of(k), float(v), record.at_ms, 0) for k, v in record.metrics.items()]
        params = [Param(metric_name_of(k), v[:_LONGEST_PARAM]) for k, v in record.params.items()][:_MOST_PARAMS]
        client.log_batch(number, params=params)
        for start in range(0, len(metrics), _MOST_VALUES):
            client.log_batch(number, metrics=metrics[start : start + _MOST_VALUES])
        client.log_artifacts(number, str(place))
        client.set_terminated(number, "FINISHED")
        return run.info

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return every version of a model, latest first; none where there is no such model."""
        with self._client() as client:
            query = f"name = '{_quoted(name)}'"
            models = client.search_registered_models(query, max_results=1)
            if not models:
                return ()
            aliases: dict[int, list[str]] = {}
            for alias, number in sorted(client.get_registered_model(name).aliases.items()):
                aliases.setdefault(int(number), []).append(alias)
            found: list[ModelVersion] = []
            page: str | None = None
            while True:
                part = client.search_model_versions(query, max_results=_PAGE, page_token=page)
                found += [_version(one, tuple(aliases.get(int(one.version), ()))) for one in part]
                page = part.token or None
                if page is None:
                    return tuple(sorted(found, key=lambda one: -one.version))

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Let an alias mean this version."""
        with self._client() as client:
            client.set_registered_model_alias(version.name, alias, str(version.version))

    def drop_alias(self, name: str, alias: str) -> None:
        """Take an alias away."""
        with self._client() as client:
            client.delete_registered_model_alias(name, alias)

    def tag(self, version: ModelVersion, tags: Mapping[str, str]) -> None:
        """Note something on a version."""
        with self._client() as client:
            for key, value in tags.items():
                client.set_model_version_tag(version.name, str(version.version), key, value[:_LONGEST_TAG])

    def settings(self, version: ModelVersion) -> ServedSettings:
        """Return what a version was logged with."""
        with self._fetched(version, "model/artifacts/settings.json") as path:
            return settings_from(path.read_text(encoding="utf-8"))

    def learned(self, version: ModelVersion) -> Learned | None:
        """Return a version's state, or None where it has none."""
        with self._client() as client:
            kept = {item.path.rsplit("/", 1)[-1] for item in client.list_artifacts(version.run_id, "model/artifacts")}
        if "learned" not in kept:
            return None
        with self._fetched(version, "model/artifacts/learned") as path:
            return read_learned(path)

    def backtest(self, version: ModelVersion) -> Learned:
        """Return a version's out-of-fold errors, with its league and what it was learnt from."""
        with self._fetched(version, "backtest") as path:
            return read_learned(path)

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        """Give the client of the database or the server."""
        with mlflow_errors("model registry", self.place):
            from mlflow import MlflowClient

            uri = self._server
            if not uri:
                folder = self.folder.resolve()
                folder.mkdir(parents=True, exist_ok=True)
                start_database(folder / DATABASE)
                uri = f"sqlite:///{folder / DATABASE}"
            yield MlflowClient(tracking_uri=uri, registry_uri=uri)

    @contextmanager
    def _fetched(self, version: ModelVersion, path: str) -> Iterator[Path]:
        """Give a copy of an artifact, for as long as it is needed."""
        with tempfile.TemporaryDirectory(prefix="forecasting-model-") as made:
            with self._client() as client:
                found = Path(client.download_artifacts(version.run_id, path, made))
            yield found

    def _experiment_id(self, client: MlflowClient) -> str:
        """Return the id of the experiment, made at the first run."""
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        place = None if self._server else (self.folder.resolve() / "mlflow-artifacts").as_uri()
        return str(client.create_experiment(self.experiment, artifact_location=place))


def _host(server: str) -> str:
    """Host and port of a server, which may be shown."""
    try:
        parts = urlsplit(server)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = None, "", None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise InputError(
            argument="tracking server",
            came="another text",
            allowed="http://host:port or https://host",
            try_instead="the address that its web page has",
        )
    return host if port is None else f"{host}:{port}"


def metric_name_of(text: str) -> str:
    """Return a name of parts divided by /, each as MLflow accepts it.

    Examples
    --------
    >>> metric_name_of("default/gm_sql"), metric_name_of("a [b]/coverage80")
    ('default/gm_sql', 'a _b_-1d8575a4/coverage80')
    """
    return "/".join(metric_name(part) for part in text.split("/"))


def _quoted(name: str) -> str:
    """A name that may stand in a search text."""
    if not name or any(c in name for c in "'\"/:\\") or not name.isprintable() or len(name) > 100:
        raise InputError(
            argument="name",
            came=name,
            allowed="1 to 100 characters without quotation marks, slashes and colons",
            try_instead=slug(name),
        )
    return name


def _version(found: Found, aliases: tuple[str, ...]) -> ModelVersion:
    """A version in our terms."""
    tags = {str(key): str(value) for key, value in dict(found.tags).items()}
    return ModelVersion(
        name=str(found.name), version=int(found.version), run_id=str(found.run_id), aliases=aliases, tags=tags
    )


def _lay_out(place: Path, record: ModelRecord) -> None:
    """Write everything that is kept of a run into a folder: the model, its back-test, its figures and texts."""
    import warnings

    import mlflow.pyfunc

    parts = place / "parts"
    parts.mkdir()
    (parts / "served.py").write_text(SCRIPT, encoding="utf-8")
    (parts / "settings.json").write_text(record.settings, encoding="utf-8")
    artifacts = {"settings": str(parts / "settings.json")}
    if record.learned is not None:
        artifacts["learned"] = str(write_learned(parts / "learned", record.learned))
    with warnings.catch_warnings():
        # Asks for an example of the input: the signature is written by hand.
        warnings.simplefilter("ignore", UserWarning)
        mlflow.pyfunc.save_model(
            str(place / "model"),
            python_model=str(parts / "served.py"),
            artifacts=artifacts,
            signature=_signature(settings_from(record.settings).horizon),
            pip_requirements=[f"service-forecasting=={_installed()}"],
        )
    for path in sorted(parts.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    parts.rmdir()
    write_learned(place / "backtest", record.backtest)
    _write_texts(place, record)


def _write_texts(place: Path, record: RunRecord) -> None:
    """Write figures and texts into a folder."""
    for name, text in record.texts.items():
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _installed() -> str:
    """Version of this package as it is installed."""
    from importlib.metadata import PackageNotFoundError, version

    from forecasting import __version__

    try:
        return version("service-forecasting")
    except PackageNotFoundError:
        return __version__


def _signature(horizon: int) -> object:
    """Columns of the input and the params with their defaults. `at` and `value` are checked by the model itself."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    columns = [ColSpec("string", "service"), ColSpec("string", "metric"), ColSpec(AnyType(), "at")]
    params = [
        ParamSpec("horizon", "long", horizon),
        ParamSpec("levels", "double", list(LEVELS), shape=(-1,)),
        ParamSpec("seed", "long", -1),
        ParamSpec("step", "string", ""),
    ]
    return ModelSignature(inputs=Schema([*columns, ColSpec(AnyType(), "value")]), params=ParamSchema(params))
