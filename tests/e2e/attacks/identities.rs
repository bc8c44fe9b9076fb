//! Who says yes is another person.
