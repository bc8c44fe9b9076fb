//! Objects, statuses and users that are not what they say.
