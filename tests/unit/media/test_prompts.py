from __future__ import annotations

import pytest
from pictures import GIF, PNG

from flowyard.errors import UserError
from flowyard.media import Image, LinesList, in_lines, placeholders, separate_images, template_images


@pytest.mark.parametrize(
    ("template", "declared", "separated"),
    [
        ("![image]({{photo}})", ("photo",), "\n{{photo}}\n"),
        ("a ![ image ]({{ photo }}) b", ("photo",), "a \n{{ photo }}\n b"),
        ("![image]({{a}})![image]({{b}})![image]({{a}})", ("a", "b"), "\n{{a}}\n\n{{b}}\n\n{{a}}\n"),
        ("![image]({{a | first}})", ("a | first",), "![image]({{a | first}})"),
        ("![image]({{a[0].x}})", ("a[0].x",), "\n{{a[0].x}}\n"),
        ("![Image]({{a}}) ![picture]({{a}}) ![image](x.png) {{a}}", (), None),
        ("![image]({{}})", (), None),
        ("![image]( {{a}} )", (), None),
    ],
)
def test_declared_images(template: str, declared: tuple[str, ...], separated: str | None):
    assert template_images(template) == declared
    assert separate_images(template) == (template if separated is None else separated)


def test_long_runs_of_blanks_are_read_in_good_time():
    template = ("![image]({{" + " " * 20_000 + "a") * 3
    assert template_images(template) == ()
    assert separate_images(template) == template


def test_lists_print_one_item_a_line_at_every_depth():
    image = Image(PNG)
    value = in_lines({"q": ["look", image, ["a", "b"]], "n": 1})
    assert str(value["q"]) == f"look\n{image}\na\nb"
    assert isinstance(value["q"], LinesList)
    assert value == {"q": ["look", PNG, ["a", "b"]], "n": 1}


def test_placeholders_are_found_at_every_depth():
    near, far = Image(PNG), Image(GIF, source_url="https://example.com/a.gif")
    found = placeholders({"a": [near, {"b": (far,)}], "c": "text", "d": near})
    assert found == {str(near): near.data_uri, str(far): "https://example.com/a.gif"}


def test_two_pictures_with_one_name_are_not_mixed_up():
    class Namesake(Image):
        def __str__(self) -> str:
            return "Image(00000000)"

    assert placeholders([Namesake(PNG), Namesake(PNG)]) == {"Image(00000000)": Image(PNG).data_uri}
    with pytest.raises(UserError, match=r"Two different pictures have the name Image\(00000000\)"):
        placeholders([Namesake(PNG), Namesake(GIF)])
