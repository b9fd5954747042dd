"""The check of the Lua: the library has no mistakes, and one of each kind is found."""

import pytest

from tools import lua

KNOWN = lua.LANGUAGE | {"redis", "S"}

WRONG = {
    "local x = 1\nreturn x + y": (2, 'nobody has defined "y"'),
    "function S.a(b) return c end": (1, 'nobody has defined "c"'),
    "counted = 1": (1, 'nobody has defined "counted"'),
    "local x = 1": (1, 'the local "x" is never used'),
    "local function f() end": (1, 'the local "f" is never used'),
    "do local x = 1; S.a = x end\nS.b = x": (2, 'nobody has defined "x"'),
    "local x = x\nS.a = x": (1, 'nobody has defined "x"'),
    "for at = 1, 2 do S.a = at end\nS.b = at": (2, 'nobody has defined "at"'),
    "S.a = { [key] = 1 }": (1, 'nobody has defined "key"'),
    "S.a = S[key]": (1, 'nobody has defined "key"'),
    "x:sub(1)": (1, 'nobody has defined "x"'),
}
RIGHT = (
    "local x = 1\nS.a = function() return x end",
    "local function f(n) return n > 0 and f(n - 1) end\nS.a = f",
    "for _, one in ipairs(S.all) do S.a = one end",
    "local other = 1\nrepeat local x = other until x",
    "S.a = { key = 1, S.b, [S.c] = 2 }\nS.d.e = S['f'].g",
    "S.a = function(...) return { ... } end",
    "local text = 's'\nS.a = text:sub(1)",
)


def test_the_library_has_no_mistakes() -> None:
    assert list(lua.check(sorted(lua.FUNCTIONS.glob("*.lua")))) == []


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_found(text: str) -> None:
    assert lua.mistakes(text, KNOWN) == [WRONG[text]]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_let_pass(text: str) -> None:
    assert lua.mistakes(text, KNOWN) == []


def test_what_cannot_be_parsed_is_said() -> None:
    ((line, said),) = lua.mistakes("if x then", KNOWN)
    assert line == 0
    assert said.startswith("it cannot be parsed: ")


def test_the_list_of_shared_names_is_read_and_used() -> None:
    names = lua.shared(lua.SETTINGS.read_text(encoding="utf-8"))
    assert {"redis", "cmsgpack", "K", "S", "context", "write_back"} <= names
    text = "".join(path.read_text(encoding="utf-8") for path in lua.FUNCTIONS.glob("*.lua"))
    assert {name for name in names if name not in text} == set()
