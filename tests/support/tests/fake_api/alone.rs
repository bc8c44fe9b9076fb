//! What a real API server cannot be made to do at will.
