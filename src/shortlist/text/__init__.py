"""Text: one analyzer, spelling, synonyms, query intent and the knowledge graph.

The same code runs when training, indexing and serving; a release names the analyzer's version.
"""
