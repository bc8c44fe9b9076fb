//! Texts from outside, wherever a person reads them.
