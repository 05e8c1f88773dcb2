"""Commands that run the gateway or prepare it to run."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.output import Config, Exit, Json, emit, err, out, print_findings, say, settings_for
from gateway.errors import GatewayError
from gateway.logs import configure
from gateway.settings import Settings
from queues.base import BrokerUnavailable
from queues.topology import gateway_topology

if TYPE_CHECKING:
    from gateway.wiring import Gateway

SHORTEST_SECRET = 16
"""Characters of a client's secret that somebody else chose."""


def run(config: Config = None, listen: Annotated[str | None, typer.Option(help="HOST:PORT")] = None) -> None:
    """Everything in one process: API, workers, relay. The embedded shape needs nothing else."""
    _run(settings_for(config, listen=listen), ("api", "work", "relay"))


def serve(config: Config = None, listen: Annotated[str | None, typer.Option(help="HOST:PORT")] = None) -> None:
    """Only the API (production; as many processes as wanted)."""
    _run(_shared(settings_for(config, listen=listen)), ("api",))


def work(config: Config = None) -> None:
    """Only workers, which deliver to the department systems (production; as many processes as wanted)."""
    _run(_shared(settings_for(config)), ("work",))


def relay(
    config: Config = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="After total loss of the broker: put every unfinished delivery back into the outbox, and end. The "
            "relays that run send them.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --rebuild: only count.")] = False,
    as_json: Json = False,
) -> None:
    """Relay, sweep and collector (production; a second process waits as a spare)."""
    settings = _shared(settings_for(config))
    if rebuild:
        from gateway.commands.recovering import rebuild as put_back

        put_back(settings, dry_run=dry_run, as_json=as_json)
    elif dry_run or as_json:
        raise GatewayError("--dry-run and --json go with --rebuild", code="usage")
    else:
        _run(settings, ("relay",))


def token(
    client: Annotated[str, typer.Argument(help="Name of the client, as in clients/NAME.yaml.")],
    config: Config = None,
    seconds: Annotated[int, typer.Option(min=1, help="How long it is valid.")] = 3600,
    as_json: Json = False,
) -> None:
    """Issue a bearer token of the installation's own issuer, for trying things out."""
    from gateway.commands.opening import issuer_of, look

    settings = settings_for(config)
    issuer = issuer_of(settings)
    _, packages = look(settings)
    known = packages.clients.get(client)
    if known is None or not known.client_id or known.issuer != issuer.issuer:
        names = ", ".join(sorted(name for name, c in packages.clients.items() if c.issuer == issuer.issuer)) or "none"
        raise GatewayError(
            f"there is no client {client!r} that uses tokens of this installation's own issuer ({issuer.issuer})",
            code="unknown_client",
            remedy=f"Known are: {names}.",
        )
    text = issuer.issue(known.client_id, lifetime_seconds=seconds)
    if as_json:
        emit({"access_token": text, "token_type": "Bearer", "expires_in": seconds})
    else:
        out.print(text, soft_wrap=True, highlight=False, markup=False)


def db_upgrade(
    config: Config = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing: 0 = at this version's tables, 1 = older, 2 = newer or none."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to this version's tables, beside processes of the version before. Safe to repeat."""
    from gateway.store.database import upgrade_url

    settings = settings_for(config)
    if check:
        _check_tables(settings, as_json)
        return
    _make_home(settings)
    upgrade_url(settings.effective_database_url)
    if as_json:
        emit({"upgraded": True})
    say("The database is up to date.")


def _check_tables(settings: Settings, as_json: bool) -> None:
    from gateway.store.database import standing_of

    standing = standing_of(settings.effective_database_url)
    if as_json:
        emit({"at": standing.at, "newest": standing.newest, "missing": list(standing.missing), "newer": standing.newer})
    if standing.newer:
        say(f"The database is at {standing.at}, of a newer version; this one knows up to {standing.newest}.")
        raise typer.Exit(Exit.UNKNOWN)
    if standing.missing:
        say(f"The database is at {standing.at or 'nothing'}. Missing: {', '.join(standing.missing)}.")
        raise typer.Exit(Exit.NO)
    say("The database is up to date.")


def keys_secret(
    read: Annotated[
        bool, typer.Option("--stdin", help="Read the secret from standard input instead of making one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a client's secret for `POST /oauth/token`, and the line `secret_scrypt` for its clients/NAME.yaml."""
    from gateway.intake.tokens import hash_secret

    secret = sys.stdin.readline().rstrip("\r\n") if read else secrets.token_urlsafe(32)
    if len(secret) < SHORTEST_SECRET:
        raise GatewayError(
            f"a secret has at least {SHORTEST_SECRET} characters; this one has {len(secret)}",
            code="secret_too_short",
            remedy="Without --stdin a good one is made.",
        )
    made = {"client_secret": secret, "secret_scrypt": hash_secret(secret)}
    if as_json:
        emit(made)
        return
    for name, value in made.items():
        out.print(f"{name}: {value}", soft_wrap=True, highlight=False, markup=False)
    say("The first line is for the client, once and over a safe way; only the second goes into clients/NAME.yaml.")


def _shared(settings: Settings) -> Settings:
    if settings.embedded:
        raise GatewayError(
            "the embedded queue lives inside one process",
            code="embedded",
            remedy="Use `gateway run`, or set GATEWAY_BROKER_URL=amqp://… (and GATEWAY_DATABASE_URL=postgresql://…) "
            "to run the parts separately.",
        )
    return settings


def _run(settings: Settings, roles: Sequence[str]) -> None:
    from gateway.commands.opening import gaps
    from gateway.runtime import running, until_told
    from gateway.wiring import open_gateway

    configure(settings.log_level, machine=settings.stage == "production")
    _make_home(settings)
    if settings.file is None:
        say(f"There is no gateway.yaml here: everything is as shipped, in {settings.home}.")
    with open_gateway(settings) as gateway:
        print_findings(gaps(settings, gateway.packages), err)
        if not settings.embedded and set(roles) - {"api"}:
            _require_topology(gateway)
        with running(gateway, roles):  # type: ignore[arg-type]
            until_told()


def _require_topology(gateway: Gateway) -> None:
    """Nothing starts on queues that would lose what ours must not. A broker that is away is no reason not to start.

    Raises TopologyMismatch.
    """
    with contextlib.suppress(BrokerUnavailable):
        gateway.broker.declare(gateway_topology(sorted(gateway.adapters)))


def _make_home(settings: Settings) -> None:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GatewayError(
            f"the installation's folder {settings.home} cannot be made: {error.strerror}",
            code="file",
            remedy="Choose another one with GATEWAY_HOME, or with `home:` in gateway.yaml.",
        ) from None
