//! The journal: the durable store of a run's answers, transcripts and rejects.
