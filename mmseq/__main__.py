"""The command line's front door: errors become one line and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from typing import Any

import click

from mmseq.distributions import damaged, do_without_entry_points
from mmseq.errors import ComponentError, UserError, one_line
from mmseq.escaping import harmless
from mmseq.files import shorten
from mmseq.prose import say
from mmseq.standard_streams import open_closed
from mmseq.streams import prepare


def main(arguments: list[str] | None = None) -> None:
    """Run `mmseq`: exit code 0 on success, 2 for a user's mistake, 1 otherwise."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Accepted anywhere on the line: it is typed after a command has failed.
    debug = "--debug" in arguments
    open_closed()
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
        result = _commands().main(arguments, prog_name="mmseq", standalone_mode=False)
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
        # What the system refuses is told as it says it, whichever file it is.
        if debug:
            raise
        return _tell(_refused(error), 2)
    except Exception as error:
        if debug or not (places := damaged()):
            raise
        return _tell(
            f"{places[0][0]}: damaged, as after an installation that was broken off; a library "
            f"fails over it ({one_line(error)}). Install it again, or delete that folder.",
            2,
        )


def _commands() -> click.Group:
    try:
        from mmseq.cli import build
    except Exception:
        if not damaged():
            raise
        do_without_entry_points()
        from mmseq.cli import build
    return build()


_REMEDIES = {
    errno.ENOSPC: "no space left on the disk; make room",
    errno.EDQUOT: "no space left for this user on the disk; make room",
    errno.EFBIG: "larger than files may be here (ulimit -f, or the file system)",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.EMFILE: "too many files are open (ulimit -n)",
    errno.EROFS: "the disk may not be written to; give another place",
}


def _refused(error: OSError) -> str:
    """What the system has refused, with what to do about it."""
    reason = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    name = error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    where = shorten(name) if error.errno == errno.ENAMETOOLONG and name else name
    return f"{where}: {reason}." if where else f"{reason}."


def _show_traceback() -> None:
    """Of the error at hand, whose text may be anybody's."""
    sys.stderr.write(harmless(traceback.format_exc()))


def _show_unexpected(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    sys.stderr.write(harmless("".join(traceback.format_exception(kind, error, trace))))


def _tell(text: str, code: int) -> int:
    """Print one line, whatever the text was, and give the exit code; a terminal gets it broken
    between words.
    """
    text = " ".join(filter(None, map(str.strip, text.split("\n"))))
    say(f"Error: {text}" if code == 2 else text, err=True)
    return code


if __name__ == "__main__":
    main()
