from pathlib import Path

from mmseq.testing import check_reader

from mmseq_example.reader import ExampleReader

HEAD = "sentence,tags,picture\n"


def test_it_keeps_the_contract():
    broken = {
        "sentence,tags\nAnna ran,B-PER O\n": 1,
        HEAD + "Anna ran,B-PER O,\n,O,1.jpg\n": 3,
        HEAD + "Anna, ran,B-PER O,1.jpg\n": 2,
        HEAD + '"Anna ran,B-PER O,1.jpg\n': 2,
    }
    check_reader(ExampleReader, broken=broken)


def test_a_table_is_read(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text('tags,sentence,more,picture\nB-PER O,"Anna\nran",x,my photo.jpg\n,so,,\n')
    first, second = ExampleReader().read(path)
    assert (first.tokens, first.tags) == (("Anna", "ran"), ("B-PER", "O"))
    assert first.images == (Path("my photo.jpg"),)
    assert (second.tokens, second.tags, second.images) == (("so",), None, ())
    # The first sentence goes over two lines.
    assert [first.line, second.line] == [2, 4]
