//! What one tenant's attempts do to another's.
