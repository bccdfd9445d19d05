"""The nouns that everything speaks in; numpy and pyarrow, no package above it."""
