"""YAML read as plain data with the line of every field, so that an error can say where."""

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import yaml

from activity.errors import ActivityError

MAX_SOURCE = 65_536  # characters
Path = tuple[str | int, ...]

_TAGS = {
    "null": "tag:yaml.org,2002:null",
    "bool": "tag:yaml.org,2002:bool",
    "int": "tag:yaml.org,2002:int",
    "float": "tag:yaml.org,2002:float",
}


class Fault(NamedTuple):
    """One thing that is wrong with a definition."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.line}: {self.field}: {self.message}"
            if self.field
            else f"line {self.line}: {self.message}"
        )


class InvalidPlaybook(ActivityError, ValueError):
    """A definition that can't be run; `faults` name the line and field of each mistake."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class YamlSource(NamedTuple):
    """A definition as plain data, and the line on which each of its values stands."""

    data: object
    lines: Mapping[Path, int]

    def fault(self, path: Path, message: str) -> Fault:
        """Say what is wrong at a path; a path that is not there is its nearest parent's."""
        known = path
        while known not in self.lines:
            known = known[:-1]
        return Fault(self.lines[known], dotted(path), message)


def dotted(path: Path) -> str:
    """Return a path as people write it: steps[1].within."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def read(text: str) -> YamlSource:
    """Return the data of a YAML text: no anchors, no repeated keys, at most 65,536 characters.

    Raises InvalidPlaybook.
    """
    if len(text) > MAX_SOURCE:
        raise InvalidPlaybook([Fault(1, "", f"the definition is longer than {MAX_SOURCE:,} characters")])
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        text = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InvalidPlaybook([Fault(mark.line + 1 if mark else 1, "", f"this is no YAML: {text}")]) from None
    except RecursionError:
        raise InvalidPlaybook([Fault(1, "", "the definition is nested too deeply")]) from None
    if root is None:
        raise InvalidPlaybook([Fault(1, "", "the definition is empty")])
    lines: dict[Path, int] = {}
    return YamlSource(_Reader(lines).value(root, ()), lines)


class _Reader:
    """Turns YAML nodes into data; each node once, so that anchors can't multiply."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines
        self._seen: set[int] = set()
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines[path] = line
        if id(node) in self._seen:
            raise InvalidPlaybook(
                [Fault(line, dotted(path), "anchors and aliases are not supported: write it out")]
            )
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[Hashable, Any]:
        found: dict[Hashable, object] = {}
        for key, item in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if not name or name in found:
                fault = f"{name!r} is given twice" if name else "a key is a plain name"
                raise InvalidPlaybook([Fault(key.start_mark.line + 1, dotted(path), fault)])
            found[name] = self.value(item, (*path, name))
            self._lines[(*path, name)] = key.start_mark.line + 1
        return found

    def _scalar(self, node: Any, path: Path) -> Any:
        """Numbers, true, false and null as such; all else, dates too, as the text that stands there."""
        if node.tag not in _TAGS.values():
            return node.value
        try:
            return self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError):
            raise InvalidPlaybook(
                [
                    Fault(
                        node.start_mark.line + 1,
                        dotted(path),
                        f"{node.value!r:.80} can't be read: put it in quotes",
                    )
                ]
            ) from None
