from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecommendRequest(_message.Message):
    __slots__ = ("user", "k", "where", "exclude", "seen", "explain", "context")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    USER_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    user: str
    k: int
    where: str
    exclude: _containers.RepeatedScalarFieldContainer[str]
    seen: bool
    explain: bool
    context: _containers.ScalarMap[str, str]
    def __init__(self, user: _Optional[str] = ..., k: _Optional[int] = ..., where: _Optional[str] = ..., exclude: _Optional[_Iterable[str]] = ..., seen: _Optional[bool] = ..., explain: _Optional[bool] = ..., context: _Optional[_Mapping[str, str]] = ...) -> None: ...

class SimilarRequest(_message.Message):
    __slots__ = ("item", "user", "k", "where", "exclude", "seen", "explain")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    item: str
    user: str
    k: int
    where: str
    exclude: _containers.RepeatedScalarFieldContainer[str]
    seen: bool
    explain: bool
    def __init__(self, item: _Optional[str] = ..., user: _Optional[str] = ..., k: _Optional[int] = ..., where: _Optional[str] = ..., exclude: _Optional[_Iterable[str]] = ..., seen: _Optional[bool] = ..., explain: _Optional[bool] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.ScalarMap[str, float]
    def __init__(self, values: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("id", "score", "explain", "propensity")
    class ExplainEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Explanation
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    id: str
    score: float
    explain: _containers.MessageMap[str, Explanation]
    propensity: float
    def __init__(self, id: _Optional[str] = ..., score: _Optional[float] = ..., explain: _Optional[_Mapping[str, Explanation]] = ..., propensity: _Optional[float] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("request", "release", "items", "variants")
    class VariantsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    request: str
    release: str
    items: _containers.RepeatedCompositeFieldContainer[Item]
    variants: _containers.ScalarMap[str, str]
    def __init__(self, request: _Optional[str] = ..., release: _Optional[str] = ..., items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., variants: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TextSearchRequest(_message.Message):
    __slots__ = ("query", "user", "k", "where", "exclude", "facets", "seen", "correct", "unfinished", "highlight", "explain", "place", "context")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    QUERY_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    UNFINISHED_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHT_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    query: str
    user: str
    k: int
    where: str
    exclude: _containers.RepeatedScalarFieldContainer[str]
    facets: _containers.RepeatedScalarFieldContainer[str]
    seen: bool
    correct: bool
    unfinished: bool
    highlight: bool
    explain: bool
    place: str
    context: _containers.ScalarMap[str, str]
    def __init__(self, query: _Optional[str] = ..., user: _Optional[str] = ..., k: _Optional[int] = ..., where: _Optional[str] = ..., exclude: _Optional[_Iterable[str]] = ..., facets: _Optional[_Iterable[str]] = ..., seen: _Optional[bool] = ..., correct: _Optional[bool] = ..., unfinished: _Optional[bool] = ..., highlight: _Optional[bool] = ..., explain: _Optional[bool] = ..., place: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ...) -> None: ...

class FoundItem(_message.Message):
    __slots__ = ("id", "score", "highlights", "explain")
    class HighlightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExplainEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Explanation
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Explanation, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    id: str
    score: float
    highlights: _containers.ScalarMap[str, str]
    explain: _containers.MessageMap[str, Explanation]
    def __init__(self, id: _Optional[str] = ..., score: _Optional[float] = ..., highlights: _Optional[_Mapping[str, str]] = ..., explain: _Optional[_Mapping[str, Explanation]] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("typed", "meant", "confidence", "applied")
    TYPED_FIELD_NUMBER: _ClassVar[int]
    MEANT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    typed: str
    meant: str
    confidence: float
    applied: bool
    def __init__(self, typed: _Optional[str] = ..., meant: _Optional[str] = ..., confidence: _Optional[float] = ..., applied: _Optional[bool] = ...) -> None: ...

class Counts(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.ScalarMap[str, int]
    def __init__(self, values: _Optional[_Mapping[str, int]] = ...) -> None: ...

class TextSearchAnswer(_message.Message):
    __slots__ = ("request", "release", "query", "suggestion", "corrections", "found", "capped", "items", "facets")
    class FacetsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Counts
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Counts, _Mapping]] = ...) -> None: ...
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    SUGGESTION_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    CAPPED_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    request: str
    release: str
    query: str
    suggestion: str
    corrections: _containers.RepeatedCompositeFieldContainer[Correction]
    found: int
    capped: bool
    items: _containers.RepeatedCompositeFieldContainer[FoundItem]
    facets: _containers.MessageMap[str, Counts]
    def __init__(self, request: _Optional[str] = ..., release: _Optional[str] = ..., query: _Optional[str] = ..., suggestion: _Optional[str] = ..., corrections: _Optional[_Iterable[_Union[Correction, _Mapping]]] = ..., found: _Optional[int] = ..., capped: _Optional[bool] = ..., items: _Optional[_Iterable[_Union[FoundItem, _Mapping]]] = ..., facets: _Optional[_Mapping[str, Counts]] = ...) -> None: ...

class SuggestRequest(_message.Message):
    __slots__ = ("query", "k")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    query: str
    k: int
    def __init__(self, query: _Optional[str] = ..., k: _Optional[int] = ...) -> None: ...

class SuggestAnswer(_message.Message):
    __slots__ = ("suggestions",)
    SUGGESTIONS_FIELD_NUMBER: _ClassVar[int]
    suggestions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, suggestions: _Optional[_Iterable[str]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("user", "item", "kind", "time", "position", "request", "propensity", "variants", "context")
    class VariantsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    USER_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    user: str
    item: str
    kind: str
    time: int
    position: int
    request: str
    propensity: float
    variants: _containers.ScalarMap[str, str]
    context: _containers.ScalarMap[str, str]
    def __init__(self, user: _Optional[str] = ..., item: _Optional[str] = ..., kind: _Optional[str] = ..., time: _Optional[int] = ..., position: _Optional[int] = ..., request: _Optional[str] = ..., propensity: _Optional[float] = ..., variants: _Optional[_Mapping[str, str]] = ..., context: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PostRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class PostResponse(_message.Message):
    __slots__ = ("accepted",)
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    def __init__(self, accepted: _Optional[int] = ...) -> None: ...
