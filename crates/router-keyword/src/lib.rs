//! Ranks tools by their words (BM25F).
