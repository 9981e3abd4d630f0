//! Variables of workers: those of a file, those of an app, and what is filled in for each worker. It sets none.

pub(crate) mod app_variables;
pub(crate) mod env_file;
pub(crate) mod placeholders;
