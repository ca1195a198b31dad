"""Complete words in the shell: `mmpose-service completion`, and what options and arguments offer.

A failure offers nothing: a message in the middle of a line that is typed would help nobody.
"""

from itertools import islice

import click
from click.shell_completion import CompletionItem, get_completion_class

from deployments.errors import ServiceError

_PROGRAM = "mmpose-service"
_VARIABLE = "_MMPOSE_SERVICE_COMPLETE"
_MOST_JOBS = 30
_WITHIN_S = 2.0

_LINES = {
    "bash": 'eval "$(mmpose-service completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(mmpose-service completion zsh)"     # in ~/.zshrc, after compinit',
    "fish": "mmpose-service completion fish | source     # in ~/.config/fish/config.fish",
}


@click.command(
    epilog="\b\n" + "\n".join(_LINES.values()),
)
@click.argument("shell", type=click.Choice(list(_LINES)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, models, jobs and files in SHELL."""
    found = get_completion_class(shell)
    if found is None:
        raise AssertionError(f"click completes no {shell}")
    click.echo(found(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())


def complete_file(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete files where an argument is a file or an address."""
    return [CompletionItem(incomplete, type="file")]


def complete_model(
    _context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the keys of the registry, of pose models for `--model`, with the models' names."""
    from deployments.pose.registry import load_model_config
    from serve_app.settings import load_settings

    try:
        models = load_model_config(load_settings().config).models
    except ServiceError:
        return []
    return [
        CompletionItem(key, help=entry.name)
        for key, entry in models.items()
        if key.startswith(incomplete) and (parameter.name != "model" or entry.task == "pose")
    ]


def complete_job(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the newest jobs of the service that the command would call, with their states."""
    import httpx

    from serve_app.cli.job_progress import in_words
    from serve_app.client import PoseClient

    address, key = context.params["url"], context.params["api_key"]
    try:
        with PoseClient(address, timeout_s=_WITHIN_S, retries=0, api_key=key) as client:
            jobs = list(islice(client.jobs(), _MOST_JOBS))
    except (ServiceError, httpx.InvalidURL, ValueError):  # the last: another program answers
        return []
    return [
        CompletionItem(job.id, help=in_words(job)) for job in jobs if job.id.startswith(incomplete)
    ]
