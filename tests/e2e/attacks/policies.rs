//! Approvals from when nobody checked them.
