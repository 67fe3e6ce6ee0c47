"""The command line's front door: errors become one line and an exit code."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
import traceback

import click

from mmseq.errors import ComponentError, UserError
from mmseq.prose import say
from mmseq.streams import all_characters


def main(arguments: list[str] | None = None) -> None:
    """Run `mmseq`: exit code 0 on success, 2 for a user's mistake, 1 otherwise."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Accepted anywhere on the line: it is typed after a command has failed.
    debug = "--debug" in arguments
    _let_all_characters_out()
    code = run(arguments_at_home([a for a in arguments if a != "--debug"]), debug=debug)
    # The process ends here, so nothing needs collecting. As it shuts down, the interpreter would
    # search millions of objects of torch and other libraries for cycles, longer than tagging takes.
    gc.freeze()
    sys.exit(code)


def arguments_at_home(arguments: list[str]) -> list[str]:
    """Arguments with the home folder for ``~``, which a shell leaves alone in ``--output=~/run``.

    The sentence of --text is what it is.
    """
    found = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        flag, equals, value = argument.partition("=")
        if not (equals and flag.startswith("--")):
            flag, equals, value = "", "", argument
        if value.split("/")[0] == "~" and "--text" not in (before, flag):
            value = os.path.expanduser(value)
        found.append(f"{flag}{equals}{value}")
    return found


def _let_all_characters_out() -> None:
    """On Windows a pipe has the machine's code page, which lacks most characters: those are written
    as escapes, and no output ends in the middle.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not all_characters(stream):
            stream.reconfigure(errors="backslashreplace")


def run(arguments: list[str], *, debug: bool = False) -> int:
    """Run a command line and give its exit code."""
    try:
        from mmseq.cli import build

        result = build().main(arguments, prog_name="mmseq", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        if debug:
            traceback.print_exc()
        context = getattr(error, "ctx", None)
        text = error.format_message()
        if context is not None:
            text += f"{'' if text.endswith(('.', '?')) else '.'} See {context.command_path} --help."
        return _tell(text, 2)
    except UserError as error:
        if debug:
            traceback.print_exc()
        return _tell(str(error), 2)
    except ComponentError as error:
        if debug:
            traceback.print_exc()
        return _tell(f"Error: {error} (--debug shows where)", 1)
    except (KeyboardInterrupt, click.Abort):
        return _tell("Interrupted.", 1)
    except BrokenPipeError:
        # `mmseq predict … | head`: the reader has what it wanted.
        sys.stderr.close()
        return 1
    except OSError as error:
        if debug or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        reason = "no space left on the disk" if error.errno in _FULL else error.strerror
        # What may not be read is refused like what may not be written.
        rest = "" if error.errno == errno.EACCES else "; nothing written before is lost"
        return _tell(f"{error.filename or 'writing'}: {reason}{rest}.", 2)


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _tell(text: str, code: int) -> int:
    """Print one line, whatever the text was, and give the exit code; a terminal gets it broken
    between words.
    """
    text = " ".join(text.splitlines())
    say(f"Error: {text}" if code == 2 else text, err=True)
    return code


if __name__ == "__main__":
    main()
