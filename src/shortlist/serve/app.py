"""The HTTP application of a project, in one worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from litestar import Litestar

from shortlist.config.load import load_config
from shortlist.config.schema import Config
from shortlist.online.engine import Engine
from shortlist.release.publish import Releases
from shortlist.serve.application import Lifespan, application
from shortlist.serve.item_routes import item_routes
from shortlist.serve.routes import routes
from shortlist.serve.search_routes import search_routes
from shortlist.serve.service import Service
from shortlist.serve.tensorflow.routes import model_routes


def app_of(folder: Path, *beside: Lifespan) -> Litestar:
    """The application of a project's folder.

    Args:
        folder: the project's folder.
        beside: what else runs while the application does.

    Raises:
        ConfigError: the project's `shortlist.toml` is wrong.
    """
    config = load_config(folder)
    return create_app(config, folder, lambda: Engine.open(config, folder), *beside)


def create_app(
    config: Config, folder: Path, open_engine: Callable[[], Engine], *beside: Lifespan
) -> Litestar:
    """An application over an engine.

    Args:
        config: the project's configuration.
        folder: the project's folder.
        open_engine: opens the engine; asked again while it raises a ShortlistError.
        beside: what else runs while the application does.
    """
    service = Service(open_engine, config.serve)
    releases = Releases(folder / ".shortlist" / "releases")
    handlers = [
        *routes(service, releases),
        *item_routes(service),
        *search_routes(service),
        *model_routes(service, releases, config.serve),
    ]
    return application(handlers, config.project.name, service, *beside)
