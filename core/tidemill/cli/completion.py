"""``tidemill completion``."""

from __future__ import annotations

import click

from tidemill.cli.options import examples, verbosity

__all__ = ["command"]


@click.command(
    epilog=examples("tidemill completion bash", "tidemill completion zsh", "tidemill completion fish")
    + """

\b
To have it in every shell:
  bash   echo 'eval "$(tidemill completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(tidemill completion zsh)"' >> ~/.zshrc
  fish   tidemill completion fish > ~/.config/fish/completions/tidemill.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@verbosity
def command(shell: str) -> None:
    """Print the script that completes tidemill's commands in a shell."""
    from click.shell_completion import ShellComplete, get_completion_class

    from tidemill.cli.group import tidemill

    made = get_completion_class(shell)
    assert made is not None  # the choice above is of shells that click knows
    # The class for bash asks the bash of this machine for its version; the script is the same for all.
    script: ShellComplete = made(tidemill, {}, "tidemill", "_TIDEMILL_COMPLETE")
    click.echo(script.source_template % script.source_vars())
