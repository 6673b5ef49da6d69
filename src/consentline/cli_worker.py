"""The command `consentline worker`: webhooks served, and chores done, until a signal ends it."""

import asyncio
import signal

import typer

from consentline import logs
from consentline.chores import chores_of, do_all, keep_doing
from consentline.connection import open_service
from consentline.dispatch.courier import Terms
from consentline.dispatch.worker import Worker, progress
from consentline.domain.webhooks import Schedule
from consentline.embedded import console_progress
from consentline.settings import Settings


def terms_of(settings: Settings) -> Terms:
    """How deliveries are made, by the settings."""
    return Terms(
        timeout=settings.webhook_timeout_seconds,
        at_once=settings.webhook_at_once,
        schedule=Schedule(settings.webhook_attempts, settings.webhook_backoff_seconds),
        allow_private=settings.webhook_allow_private,
    )


def run_worker(settings: Settings, *, once: bool) -> None:
    """Serve webhooks until SIGTERM or SIGINT; `once`: only what can be sent now, and each chore once.

    A signal ends it when what is under way was recorded; a second one at once, and that is sent again later.

    Raises:
        ConsentlineError: the database cannot be reached or prepared.
    """
    logs.configure()
    asyncio.run(_run(settings, once))


async def _run(settings: Settings, once: bool) -> None:
    with console_progress() as report:
        async with open_service(settings, report) as service:
            chores = chores_of(service, settings.sweep_seconds, settings.event_retention_days)
            worker = Worker(service, terms_of(settings))
            _stop_by_signal(worker)
            if once:
                await do_all(chores)
                await worker.run(once=True)
            else:
                keeping = asyncio.create_task(keep_doing(chores))
                typer.echo("Serving webhooks until Ctrl-C.")
                await worker.run()
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
            typer.echo(progress(worker.tally))


def _stop_by_signal(worker: Worker) -> None:
    loop = asyncio.get_running_loop()
    whole = asyncio.current_task()

    def stop() -> None:
        worker.stop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            if whole is not None:
                loop.add_signal_handler(each, whole.cancel)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
