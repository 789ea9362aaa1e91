"""Recipes: which transforms make a view, written in a line.

    recipe = chain ("," chain)*                        one of these for each view, all equally probable
    chain  = step ("+" step)*                          one after the other; binds tighter than the comma
    step   = name | name(parameter=value, ...)         a name of `TRANSFORMS`, its dataclass fields by name
    value  = 3 | 0..20 | -2|-1|1|2 | pink | 'a path/'  a number, a range, a list, a word, what is in quotes

`none` is no transform, and `combination` is pitch or reverb; as a step it is one of the two, then what follows.
Transforms of waveforms come before those of log-mels in a chain. What a transform is given to hear, such as a bank of
rooms, is named by text and opened by a reader when the recipe is built.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from cohear import transforms
from cohear.dsp.recordings import Recordings
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError, nearest
from cohear.transforms import TRANSFORMS

if TYPE_CHECKING:
    from cohear.transforms.contract import Transform

NONE, COMBINATION = "none", "combination"
PAPER = (NONE, "pitch", "reverb", "masking", COMBINATION)
"""The recipes of Iqbal et al. 2021."""

Reader = Callable[[str, Mapping[str, Any], int], Any]
"""Opens what a parameter names; it is given the name, the step's other parameters and the sample rate in Hz."""

_COMBINED = ("pitch", "reverb")
_HIGHEST_RATE = 192_000
"""Hz; what does not fit it fits no sound."""
_STAND_INS: dict[type, Reader] = {
    ResponseBank: lambda _name, _others, rate: ResponseBank(np.ones((1, 1), np.float32), rate, ("",)),
    Recordings: lambda _name, _others, rate: Recordings(np.ones((1, 1), np.float32), rate),
}
"""In the place of sounds, while it is seen whether a recipe makes sense."""
_STEP = re.compile(r"""\s*([\w-]+)\s*(?:\(((?:[^()'"]|'[^']*'|"[^"]*")*)\)\s*)?([+,]|\Z)""")
_PARAMETER = re.compile(r"""\s*(\w+)\s*=\s*('[^']*'|"[^"]*"|[^'",=]+?)\s*(?:,\s*|\Z)""")


@dataclass(frozen=True)
class Step:
    """One transform and the parameters that differ from its defaults."""

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()
    """Names and values, in the order of the transform's fields; of sounds, the names of their files and folders."""

    def text(self, *, names_sounds: bool = True) -> str:
        """Write the step; without the names of files and folders, if these do not matter."""
        fields = _fields(self.name) if self.parameters else {}
        shown = [
            f"{name}={_write(value, fields[name].is_range)}"
            for name, value in self.parameters
            if names_sounds or not fields[name].sounds
        ]
        return f"{self.name}({', '.join(shown)})" if shown else self.name

    def build(self, sample_rate: int, readers: Mapping[type, Reader]) -> "Transform[Any]":
        """Make the transform; arguments and errors as for `Recipe.build`."""
        if self.name == COMBINATION:
            return transforms.Choose(tuple(Step(name).build(sample_rate, readers) for name in _COMBINED))
        kind, fields, values = TRANSFORMS[self.name], _fields(self.name), dict(self.parameters)
        for name, field in fields.items():
            if field.default is MISSING and name not in values:
                example = "'a folder/'" if field.sounds else "..."
                raise UserError(f"{self.name} needs {name}: write {self.name}({name}={example})")
            if field.sounds and name in values:
                if field.sounds not in readers:
                    raise UserError(f"{self.name}({name}=...) needs a reader of {field.sounds.__name__}")
                others = {other: value for other, value in values.items() if other != name}
                values[name] = readers[field.sounds](values[name], others, sample_rate)
        if any(field.name == "sample_rate" for field in dataclasses.fields(kind)):
            values["sample_rate"] = sample_rate
        try:
            return kind(**values)
        except ValueError as error:
            raise UserError(f"{self.name}: {error}") from error


@dataclass(frozen=True)
class Recipe:
    """What is done to make a view; `str` writes it in the one way that is its identity."""

    chains: tuple[tuple[Step, ...], ...]
    """One is chosen for each view, its steps one after the other; none is no transform."""

    def __str__(self) -> str:
        return self.text()

    def text(self, *, names_sounds: bool = True) -> str:
        """Write the recipe; without the names of files and folders, where what they hold is known otherwise."""
        text = ",".join("+".join(step.text(names_sounds=names_sounds) for step in chain) for chain in self.chains)
        return COMBINATION if text == ",".join(_COMBINED) else text or NONE

    def build(self, sample_rate: int, readers: Mapping[type, Reader] | None = None) -> "Transform[Any] | None":
        """Make the augmentation; None for no transform.

        Args:
            sample_rate: Hz, of the clips.
            readers: by the type of what they return, such as `ResponseBank`; needed where a parameter names sounds.

        Raises:
            UserError: where the sample rate does not suit a transform, what it names cannot be read, or masks come
                before transforms of waveforms.
        """
        chains = []
        for chain in self.chains:
            steps = [step.build(sample_rate, readers or {}) for step in chain]
            try:
                chains.append(transforms.Chain(tuple(steps)) if len(steps) > 1 else steps[0])
            except ValueError as error:
                pairs = sorted(zip(chain, steps, strict=True), key=lambda pair: "waveform" not in pair[1].domains)
                better = "+".join(step.text() for step, _ in pairs)
                raise UserError(
                    f"the recipe '{self}' cannot be followed: waveforms are changed before the log-mels that are made "
                    f"of them; write {better}"
                ) from error
        return transforms.Choose(tuple(chains)) if len(chains) > 1 else next(iter(chains), None)


def parse_recipe(text: str) -> Recipe:
    """Read a recipe.

    Raises:
        UserError: for a name, parameter or value that there is not or no sample rate allows, an empty part, and a mask
            before a waveform. What is to be read is not looked for.

    Example:
        >>> str(parse_recipe("pitch( semitones = -1|1 ) + noise(snr_db=5..30), masking"))
        'pitch(semitones=-1|1)+noise,masking'
        >>> str(parse_recipe("pitch, reverb"))
        'combination'
    """
    text = text.strip()
    if text in PAPER:  # without a look at the transforms, whose import takes seconds
        return Recipe(((Step(text),),) if text != NONE else ())
    chains: list[list[Step]] = [[]]
    place, separator = 0, "+"
    while separator:
        match = _STEP.match(text, place)
        if match is None:
            cannot = f"cannot be read from '{text[place:]}' on" if text[place:] else "breaks off"
            raise UserError(
                f"the recipe '{text}' {cannot}; write it as noise(snr_db=0..20)+pitch,reverb: + is then, a comma is or"
            )
        if separator == ",":
            chains.append([])
        chains[-1].append(_read_step(match[1], match[2] or ""))
        place, separator = match.end(), match[3]
    recipe = Recipe(tuple(map(tuple, chains)))
    recipe.build(_HIGHEST_RATE, _STAND_INS)
    return Recipe(((Step(COMBINATION),),)) if str(recipe) == COMBINATION else recipe


def _read_step(name: str, inside: str) -> Step:
    if name == NONE:
        raise UserError(f"'{NONE}' is no transform at all: leave it out of the recipe")
    if name != COMBINATION and name not in TRANSFORMS:
        known = (*TRANSFORMS, COMBINATION)
        raise UserError(f"there is no transform '{name}'{nearest(name, known)}; the transforms are {', '.join(known)}")
    fields = {} if name == COMBINATION else _fields(name)
    given: dict[str, Any] = {}
    place = 0
    while place < len(inside.rstrip()):
        match = _PARAMETER.match(inside, place)
        if match is None:
            raise UserError(f"{name}({inside}) cannot be read; write {name}(parameter=value, ...)")
        parameter, text, place = match[1], match[2], match.end()
        if parameter not in fields:
            known = f"it has {', '.join(fields)}" if fields else "it has none"
            raise UserError(f"{name} has no parameter '{parameter}'{nearest(parameter, fields)}; {known}")
        if parameter in given:
            raise UserError(f"{name} is given {parameter} twice: leave one out")
        try:
            given[parameter] = fields[parameter].read(text)
        except ValueError as error:
            raise UserError(f"{name}({parameter}={text}) cannot be: {error}") from error
    ordered = ((parameter, given[parameter]) for parameter in fields if parameter in given)
    return Step(name, tuple((parameter, value) for parameter, value in ordered if value != fields[parameter].default))


class _Field(NamedTuple):
    """A field of a transform that a recipe can say."""

    hint: Any
    """The type of its values; text, where it is a name of sounds."""
    default: Any
    sounds: type | None
    """What a reader opens; None for numbers and words."""
    is_list: bool
    is_range: bool

    def read(self, text: str) -> Any:
        """Read a value.

        Raises:
            ValueError: that says what can be given.
        """
        value: Any = text[1:-1] if text[0] in "'\"" else text
        form = ""
        if self.is_list:
            value, form = [part.strip() for part in text.split("|")], ", or several as 1|2"
        elif self.is_range:
            first, _, last = text.partition("..")
            value, form = (first.strip(), (last or first).strip()), ", or a range as 1..2"
        try:
            return TypeAdapter(self.hint, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            wanted = dict.fromkeys(found["msg"].removeprefix("Input should be ") for found in error.errors())
            raise ValueError(f"give {' or '.join(wanted)}{form}") from error


def _fields(name: str) -> dict[str, _Field]:
    """Return what a recipe can say of a transform, by the names of its fields."""
    kind = TRANSFORMS[name]
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind) and hasattr(kind, "draw")):
        raise UserError(f"'{name}' is not a transform: it must be a dataclass like those of cohear.transforms")
    hints, found = get_type_hints(kind), {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        is_union = get_origin(hint) is not tuple and NoneType in get_args(hint)
        hint = Union[tuple(kind for kind in get_args(hint) if kind is not NoneType)] if is_union else hint  # noqa: UP007
        sounds = hint if isinstance(hint, type) and hint not in (int, float, bool, str) else None
        if field.name != "sample_rate":
            is_list = get_args(hint)[1:] == (Ellipsis,)
            is_range = get_origin(hint) is tuple and not is_list
            found[field.name] = _Field(str if sounds else hint, field.default, sounds, is_list, is_range)
    return found


def _write(value: Any, is_range: bool = False) -> str:
    if is_range:
        value = value[:1] if value[0] == value[1] else value
        return "..".join(map(_write, value))
    if isinstance(value, tuple):
        return "|".join(map(_write, value))
    if isinstance(value, str):
        plain = re.fullmatch(r"[\w./~-]+", value)
        return value if plain else f'"{value}"' if "'" in value else f"'{value}'"
    return str(value).lower() if isinstance(value, bool) else repr(value).removesuffix(".0")
