//! What a provider leaves out, doubles or contradicts.
