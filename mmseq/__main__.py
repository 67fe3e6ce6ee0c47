"""The command line's front door: errors become one line and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from typing import Any

import click

from mmseq.errors import ComponentError, UserError
from mmseq.escaping import harmless
from mmseq.prose import say
from mmseq.streams import prepare


def main(arguments: list[str] | None = None) -> None:
    """Run `mmseq`: exit code 0 on success, 2 for a user's mistake, 1 otherwise."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Accepted anywhere on the line: it is typed after a command has failed.
    debug = "--debug" in arguments
    prepare()
    sys.excepthook = _show_unexpected
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
            _show_traceback()
        context = getattr(error, "ctx", None)
        text = error.format_message()
        if context is not None:
            text += f"{'' if text.endswith(('.', '?')) else '.'} See {context.command_path} --help."
        return _tell(text, 2)
    except UserError as error:
        if debug:
            _show_traceback()
        return _tell(str(error), 2)
    except ComponentError as error:
        if debug:
            _show_traceback()
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
        return _tell(f"{error.filename or 'writing'}: {reason}; nothing written before is lost.", 2)


def _show_traceback() -> None:
    """Of the error at hand, whose text may be anybody's."""
    sys.stderr.write(harmless(traceback.format_exc()))


def _show_unexpected(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    sys.stderr.write(harmless("".join(traceback.format_exception(kind, error, trace))))


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _tell(text: str, code: int) -> int:
    """Print one line, whatever the text was, and give the exit code; a terminal gets it broken
    between words.
    """
    text = " ".join(filter(None, map(str.strip, text.split("\n"))))
    say(f"Error: {text}" if code == 2 else text, err=True)
    return code


if __name__ == "__main__":
    main()
