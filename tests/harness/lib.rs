//! What every test uses.
