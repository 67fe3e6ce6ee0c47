"""What an error tells of names that do not exist."""

from mmseq.errors import UserError, did_you_mean, unknown


def test_a_misspelt_word_is_answered_with_the_one_most_like_it():
    assert did_you_mean("pacience", ["patience", "epochs"]) == " Did you mean 'patience'?"
    assert did_you_mean("CRF", ["crf", "softmax"]) == " Did you mean 'crf'?"
    assert did_you_mean("zzz", ["patience", "epochs"]) == ""


def test_what_is_suggested_may_say_more_than_its_name():
    assert did_you_mean("base", ["bases"], "the plan '{}'".format) == (
        " Did you mean the plan 'bases'?"
    )


def test_an_unknown_name_is_told_with_the_closest_and_all():
    assert str(unknown("decoder", "crff", ["softmax", "crf"])) == (
        "Unknown decoder 'crff'. Did you mean 'crf'? Available: crf, softmax."
    )
    assert str(unknown("decoder", "crf", [])) == "Unknown decoder 'crf'. Available: none."


def test_an_error_is_one_line_in_python_too():
    assert str(UserError("no option 'a\n  b\n'; \x1b[2Jits\u202e options: c.")) == (
        "no option 'a b '; \\u001b[2Jits\\u202e options: c."
    )
