"""Words as a person would write them."""

import pytest

from mmseq.data.splitting.written import written, written_places


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("Lyon , a city .", "Lyon, a city."),
        ("Go ( now ) !", "Go (now)!"),
        ("Cruz ' s dog", "Cruz's dog"),
        ("I ’ m here", "I’m here"),
        ("the players ' union", "the players'union"),
        ("' here ' , he said", "'here', he said"),
        ('" Yes " , she said , " no "', '"Yes", she said, "no"'),
        ("„ Ja “ und » nein «", "„Ja“ und »nein«"),
        ("« oui » ‹ non ›", "«oui» ‹non›"),
        ("“ a ” “ b ”", "“a” “b”"),
        ("# NBA @ KDTrey5 wins", "#NBA @KDTrey5 wins"),
        ("wait ... what ?! yes !!", "wait... what?! yes!!"),
        ("nice :) and ;)", "nice :) and ;)"),
        ("¿ Qué ? ¡ No !", "¿Qué? ¡No!"),
        ("a - b / c & d", "a - b / c & d"),
        ("6 % of $ 5", "6% of $ 5"),
        ("do n't , Anna 's , we 're", "don't, Anna's, we're"),
        ("l' homme d' or", "l'homme d'or"),
        ("我 爱 北 京 。 2019 年 iPhone 好", "我爱北京。2019年 iPhone 好"),
        ("「 東 京 」 と ビ ル", "「東京」とビル"),
        ("ฉัน รัก กรุงเทพ มาก", "ฉันรักกรุงเทพมาก"),
        ("दिल्ली में ठीक ।", "दिल्ली में ठीक।"),
        ("مرحبا ، هل ؟", "مرحبا، هل؟"),
        ("서울 에 갔다 .", "서울 에 갔다."),
        ("go 👍 ! yes", "go 👍! yes"),
        ("", ""),
        ("'", "'"),
        ("# @", "#@"),
    ],
)
def test_as_a_person_writes(tokens, text):
    assert written(tokens.split()) == text


def test_words_know_where_they_stand():
    text, places = written_places(("Cruz", "'", "s", "(", "dog", ")", "!"))
    assert text == "Cruz's (dog)!"
    assert [text[start:end] for start, end in places] == ["Cruz", "'", "s", "(", "dog", ")", "!"]
    assert places[:4] == ((0, 4), (4, 5), (5, 6), (7, 8))
