"""Texts to vectors: what training leaves and serving opens, without any trainer."""
