"""A vector store alone, served over HTTP and gRPC to an existing application."""
