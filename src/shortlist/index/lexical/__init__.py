"""Full text: inverted indexes over analysed terms, the words of every item, completions."""

from shortlist.index.lexical.contract import Document, Hits, LexicalIndex, LiveIndex, Wanted
from shortlist.index.lexical.tantivy import TantivyIndex

__all__ = ["Document", "Hits", "LexicalIndex", "LiveIndex", "TantivyIndex", "Wanted"]
