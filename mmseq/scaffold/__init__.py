"""New plugins: a whole small one, `template`, is written out under another name.

What is in `template` is real and tested, and no part of the engine: nothing imports it.
"""
