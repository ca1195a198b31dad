"""Choose parts of a document by their paths, such as ``data.processing_summary``.

A path is names with dots between them. Lists have no name of their own: a path applies to each of
their items. A path may leave out its beginning where the rest is found in one place only.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import pydantic_core

from deployments.errors import BadParameterError

Tree = dict[str, "Tree | None"]
"""Chosen names, each with what is chosen below it; None for everything."""

MOST_CHARACTERS: Final = 4096
"""Of a list of paths."""

_ITEMS: Final = "__all__"  # pydantic's name of the items of a list
_MOST_SHOWN: Final = 5
_LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Part:
    """Names within one part of a document.

    Attributes:
        named: parts by name.
        others: part of any other name, None where there is none.
        is_list: whether the document has a list of such parts.
        is_untyped: whether any path leads on from here.
    """

    named: Mapping[str, "Part"] = field(default_factory=dict)
    others: "Part | None" = None
    is_list: bool = False
    is_untyped: bool = False

    def below(self, name: str) -> "Part | None":
        """Return the part called ``name``."""
        if not name:
            return None
        return self.named.get(name, self if self.is_untyped else self.others)


def part_of(schema: Mapping[str, Any]) -> Part:
    """Build the parts of a document from its JSON schema, which must not be recursive."""
    return _part(schema, schema.get("$defs", {}))


def _part(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Part:
    if "$ref" in schema:
        return _part(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        kinds = [_part(kind, definitions) for kind in schema["anyOf"]]
        return Part(
            {name: part for kind in kinds for name, part in kind.named.items()},
            next((kind.others for kind in kinds if kind.others), None),
            any(kind.is_list for kind in kinds),
            any(kind.is_untyped for kind in kinds),
        )
    if "items" in schema:
        return replace(_part(schema["items"], definitions), is_list=True)
    if schema.get("type") != "object":
        return Part(is_untyped=not schema)
    named = {n: _part(part, definitions) for n, part in schema.get("properties", {}).items()}
    rest = schema.get("additionalProperties", not named)
    if isinstance(rest, bool):
        return Part(named, is_untyped=rest)
    return Part(named, _part(rest, definitions))


@dataclass(frozen=True)
class Selection:
    """Chosen parts of a document.

    Attributes:
        tree: chosen names.
        part: of the document that they are of.
    """

    tree: Tree
    part: Part

    @cached_property
    def include(self) -> dict[str, Any]:
        """Return the same for pydantic's serializers, to which an untyped part is whole."""
        return _include(self.tree, self.part)

    @cached_property
    def is_typed(self) -> bool:
        """Return whether :attr:`include` chooses no more than the tree."""
        return _is_typed(self.tree, self.part)

    def below(self, *path: str) -> "Selection | None":
        """Return what is chosen of the part at ``path``; None if all of it is.

        Call it where :meth:`has` says that something is.
        """
        tree, part = self.tree, self.part
        for name in path:
            below, inner = tree[name], part.below(name)
            if below is None or inner is None:
                return None
            tree, part = below, inner
        return Selection(tree, part)

    def has(self, *path: str) -> bool:
        """Return whether anything of the part at ``path`` is chosen."""
        tree: Tree | None = self.tree
        for name in path:
            if tree is None:
                return True
            if name not in tree:
                return False
            tree = tree[name]
        return True

    def of_value(self, value: Any) -> Any:
        """Return the chosen parts of a document's plain values."""
        return _chosen(value, self.tree)

    def of_json(self, text: bytes) -> bytes:
        """Return the chosen parts of a JSON text, such as a saved frame, as JSON."""
        return pydantic_core.to_json(self.of_value(pydantic_core.from_json(text)))


def _chosen(value: Any, tree: Tree | None) -> Any:
    if tree is None:
        return value
    if isinstance(value, list):
        return [_chosen(item, tree) for item in value]
    if isinstance(value, dict):
        return {name: _chosen(item, tree[name]) for name, item in value.items() if name in tree}
    return value


def select(fields: str, root: Part) -> Selection:
    """Parse paths with commas between them.

    Raises:
        BadParameterError: it is too long, names nothing, or names something that ``root`` lacks or
            has in several places; says what comes close.
    """
    if len(fields) > MOST_CHARACTERS:
        raise BadParameterError(
            f"fields has {len(fields)} characters, at most {MOST_CHARACTERS} are allowed",
            hint="Give the path of a larger part.",
            field="fields",
        )
    paths = dict.fromkeys(path.strip() for path in fields.split(","))
    if not all(paths):
        raise BadParameterError(
            "fields has an empty path",
            hint="Give paths with commas between them, such as joint_angles,video_url.",
            field="fields",
        )
    tree: Tree = {}
    for path in paths:
        _add(tree, _resolved(tuple(path.split(".")), root))
    return Selection(tree, root)


def _add(tree: Tree, path: tuple[str, ...]) -> None:
    *way, last = path
    for name in way:
        below = tree.setdefault(name, {})
        if below is None:
            return
        tree = below
    tree[last] = None


def _include(tree: Tree, part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, below in tree.items():
        inner = part.below(name)
        if below is None or inner is None or inner.is_untyped:
            found[name] = True
        else:
            chosen = _include(below, inner)
            found[name] = {_ITEMS: chosen} if inner.is_list else chosen
    return found


def _is_typed(tree: Tree, part: Part) -> bool:
    inner = ((below, part.below(name)) for name, below in tree.items())
    return all(not (b and p) or (not p.is_untyped and _is_typed(b, p)) for b, p in inner)


def _resolved(path: tuple[str, ...], root: Part) -> tuple[str, ...]:
    """Return the whole path of which ``path`` is the end."""
    if _follow(path, root) == len(path):
        return path
    places = [
        way
        for way, part in _places(root)
        if path[0] in part.named and _follow(path, part) == len(path)
    ]
    # The same name among the other people of a frame is no second place.
    places = [way for way in places if not any(_within(other, way) for other in places)]
    if len(places) == 1:
        return (*places[0], *path)
    if places:
        found = ", ".join(".".join((*way, *path)) for way in places[:_MOST_SHOWN])
        raise BadParameterError(
            f"fields: {_shown(path)} is in several places: {found}",
            hint="Give one of these paths.",
            field="fields",
        )
    raise _unknown(path, root)


def _unknown(path: tuple[str, ...], root: Part) -> BadParameterError:
    begun = [part for _, part in _places(root) if path[0] in part.named]
    part = max((root, *begun), key=lambda part: _follow(path, part))
    known = _follow(path, part)
    for name in path[:known]:
        part = part.below(name) or part
    missing = path[known]
    names = {*part.named} if known else {n for _, part in _places(root) for n in part.named}
    close = difflib.get_close_matches(missing[:_LONGEST_SHOWN], sorted(names | {*root.named}), 3)
    within = f"{_shown(path[:known])} has no part" if known else "the response has no part"
    return BadParameterError(
        f"fields: {within} {_shown((missing,))!r}",
        hint=f"Close to it: {', '.join(close)}."
        if close
        else "See the fields of the response in /docs.",
        field="fields",
    )


def _follow(path: tuple[str, ...], part: Part) -> int:
    """Return how many names of ``path`` lead from ``part`` on."""
    for known, name in enumerate(path):
        below = part.below(name)
        if below is None:
            return known
        part = below
    return len(path)


def _places(part: Part, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Part]]:
    """Yield every part that has names, below this one, with its path."""
    for name, below in part.named.items():
        here = (*way, name)
        if below.named:
            yield here, below
        yield from _places(below, here)


def _within(shorter: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    """Return whether ``longer`` has the names of ``shorter`` in their order, and others."""
    rest = iter(longer)
    return len(shorter) < len(longer) and all(name in rest for name in shorter)


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(path)[:_LONGEST_SHOWN]
