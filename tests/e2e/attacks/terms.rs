//! Terms that change under an approval.
