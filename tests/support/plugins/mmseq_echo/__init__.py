"""Tasks with known gradients, and one that most batches lack."""

import mmseq


@mmseq.hookimpl
def register_components(add):
    for name in ("echo", "mirror", "apart", "long"):
        add.aux_task(name, f"mmseq_echo.task:{name.title()}")
