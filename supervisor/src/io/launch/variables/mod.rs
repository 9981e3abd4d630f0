//! Variables of an app, and what is filled in for each of its workers. It sets none.

pub(crate) mod app_variables;
pub(crate) mod placeholders;
