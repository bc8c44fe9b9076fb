//! What users and clouds send: redirects, odd amounts, dates, bombs.
