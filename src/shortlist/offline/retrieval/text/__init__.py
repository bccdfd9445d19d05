"""What text encoders are made from: documents, subwords, session pairs, losses, export."""
