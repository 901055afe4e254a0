"""Names are the house's words, and every module, class and public function says what it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from source_files import Function, Source, pages, refuse, sources

# Words for nothing in particular, then other products' words for our things.
VAGUE = {"manager", "service", "helper", "factory", "util", "common", "misc"}
VAGUE |= {"handler", "base", "impl"}
SYNONYMS = {
    "job": "task",
    "prediction": "task",
    "wallet": "account or credits",
    "quota": "credits",
    "provider": "backend",
}
BANNED = VAGUE | set(SYNONYMS)
# Where a path begins with the key, the words stand, for the reason.
FOREIGN = {
    "src/darkroom/api/dialects/": ({"prediction", "provider"}, "words of another wire"),
    "tests/api/dialects/": ({"prediction", "provider"}, "words of another wire"),
    "docs/glossary.md": (set(SYNONYMS), "names the words that we do not use"),
}
EXCEPTIONS = {"base_url": "HTTP's own word for the address that paths are joined to"}
# Nouns of domain that are one by nature.
COLLECTIVE = {"catalogue", "ledger", "moderation", "usage"}
CAPTION_MAX = 140
# A class with other bases than these may be overriding, so its methods need no docstring.
PLAIN_BASES = {"ABC", "Generic", "NamedTuple", "Protocol", "Struct", "TypedDict"}
TRIVIAL = {"cached_property", "overload", "override", "property", "setter"}


def parts(name: str) -> list[str]:
    """The words of a name in the singular: `HTTPHandlers_v2` → http, handler, v2."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return [re.sub(r"(?<=[a-z]{2})s$", "", word.lower()) for word in spaced.split("_") if word]


def allowed(path: str) -> set[str]:
    return {word for key, (words, _) in FOREIGN.items() if path.startswith(key) for word in words}


def definitions(source: Source) -> Iterator[tuple[ast.AST | int, str]]:
    """The names of the module, its classes and its functions."""
    yield 1, source.path.rsplit("/", 1)[-1].removesuffix(".py")
    for node in source.nodes:
        if isinstance(node, ast.ClassDef | Function):
            yield node, node.name


def banned_names(source: Source) -> Iterator[str]:
    for node, name in definitions(source):
        if name in EXCEPTIONS:
            continue
        for word in (BANNED - allowed(source.path)) & set(parts(name)):
            instead = SYNONYMS.get(word, "the noun or verb that it is")
            yield source.at(node, f'{name}: not "{word}"; say {instead}')


def prose(text: str) -> str:
    """Markdown without its code and its addresses, line for line."""
    blank = re.sub(r"(?ms)^ *```.*?^ *```", lambda found: "\n" * found[0].count("\n"), text)
    return re.sub(r"`[^`\n]*`|\]\([^)\n]*\)|https?://\S+", "", blank)


def banned_prose(page: Source) -> Iterator[str]:
    words = set(SYNONYMS) - allowed(page.path)
    for number, line in enumerate(prose(page.text).splitlines(), start=1):
        for word in words & {part for raw in re.findall(r"\w+", line) for part in parts(raw)}:
            yield page.at(number, f'not "{word}"; say {SYNONYMS[word]}')


def singular(source: Source) -> Iterator[str]:
    name = source.module.removeprefix("darkroom.domain.")
    is_noun = name in COLLECTIVE or name.endswith("s")
    if re.fullmatch(r"src/darkroom/domain/(?!__init__)\w+\.py", source.path) and not is_noun:
        yield source.at(1, f"{name}: a module of domain is a plural noun")


def captions(source: Source) -> Iterator[str]:
    """A module opens with one sentence in a paragraph of its own, unless it is empty."""
    if not source.text.strip():
        return
    caption = " ".join((ast.get_docstring(source.tree) or "").split("\n\n")[0].split())
    if not caption:
        yield source.at(1, "open the file with one sentence that says what stands in it")
    elif len(caption) > CAPTION_MAX:
        yield source.at(1, f"the caption has {len(caption)} characters; at most {CAPTION_MAX}")
    elif not caption.endswith(".") or re.search(r"[.!?]\s+[A-Z]", caption):
        yield source.at(1, "the caption is one sentence with a full stop, then a blank line")


def is_mute(function: Function) -> bool:
    """Whether a public function lacks a docstring that it should have."""
    names = {ast.unparse(one).split(".")[-1] for one in function.decorator_list}
    is_trivial = function.name.startswith("_") or bool(names & TRIVIAL)
    return not is_trivial and not ast.get_docstring(function)


def undocumented(source: Source) -> Iterator[str]:
    """Public classes and functions without a docstring, nested functions left out."""
    scopes: list[tuple[ast.Module | ast.ClassDef, bool]] = [(source.tree, True)]
    for scope, methods_too in scopes:
        for node in scope.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {ast.unparse(one).split("[")[0].split(".")[-1] for one in node.bases}
                scopes.append((node, bases <= PLAIN_BASES))
                if not ast.get_docstring(node):
                    yield source.at(node, f"{node.name}: say in one sentence what it is")
            elif isinstance(node, Function) and methods_too and is_mute(node):
                yield source.at(node, f"{node.name}: say in one sentence what it does")


def test_names_use_none_of_the_banned_words() -> None:
    every = sources("src", "tests", "bench")
    refuse(line for source in every for line in banned_names(source))


def test_docs_use_our_words_for_our_things() -> None:
    refuse(line for page in pages() for line in banned_prose(page))


def test_modules_of_domain_are_plural_nouns() -> None:
    refuse(line for source in sources("src") for line in singular(source))


def test_modules_open_with_a_caption() -> None:
    refuse(line for source in sources("src", "tests", "bench") for line in captions(source))


def test_public_classes_and_functions_say_what_they_are() -> None:
    refuse(line for source in sources("src") for line in undocumented(source))


@pytest.mark.parametrize(
    "text", ["class HTTPHandler: ...", "def list_jobs(): ...", "class A:\n def base(self): ..."]
)
def test_a_banned_name_is_refused(text: str) -> None:
    assert list(banned_names(Source("src/darkroom/ids.py", text)))


@pytest.mark.parametrize("path", ["storage/database.py", "domain/rebase.py", "b/base64_url.py"])
def test_a_word_that_contains_a_banned_one_passes(path: str) -> None:
    assert not list(banned_names(Source(f"src/darkroom/{path}", "def quotation(): ...")))


def test_a_synonym_in_prose_is_refused_but_not_in_code() -> None:
    found = list(banned_prose(Source("docs/a.md", "```\njob\n```\n`wallet`\nA job's end.")))
    assert found == ['docs/a.md:5: not "job"; say task']
    assert not list(banned_prose(Source("docs/glossary.md", "not: job")))


@pytest.mark.parametrize("text", ["x = 1", '"""No stop"""', '"""One. Two."""', '"""Two\nlines"""'])
def test_a_bad_caption_is_refused(text: str) -> None:
    assert list(captions(Source("src/darkroom/ids.py", text)))


@pytest.mark.parametrize("text", ["class A: ...", "def f(): ...", "class A:\n '.'\n def f(): ..."])
def test_a_missing_docstring_is_refused(text: str) -> None:
    assert list(undocumented(Source("src/darkroom/ids.py", text)))


@pytest.mark.parametrize("text", ["def _f(): ...", "class A(B):\n '.'\n def f(self): ..."])
def test_a_private_or_overriding_function_needs_no_docstring(text: str) -> None:
    assert not list(undocumented(Source("src/darkroom/ids.py", text)))


def test_a_singular_module_of_domain_is_refused() -> None:
    assert list(singular(Source("src/darkroom/domain/task.py", "")))
    assert not list(singular(Source("src/darkroom/domain/kinds/image.py", "")))


def test_test_files_have_names_of_their_own() -> None:
    """pytest finds a module by its name alone, so two of one name cannot run together."""
    names = [source.path.rpartition("/")[2] for source in sources("tests")]
    twice = sorted({name for name in names if names.count(name) > 1 and name != "conftest.py"})
    refuse(f"tests: two files are named {name}; rename one" for name in twice)
